"""Work out docs/scale.md: what an organization asks of the type, by arithmetic from the figures below."""

import math
from pathlib import Path

from charts import Bar, bars
from function import ROOT

PAGE = ROOT / "docs/scale.md"
CHARTS = ROOT / "docs/scale"
TEMPLATE = Path(__file__).with_name("scale.md.in")

USERS = 5000
KEYS_PER_USER = 2
LATENCY_MS = 50
RATES = (5, 20, 100)
PAGE_USERS = 48
SIDE_BY_SIDE = 8
# What is left of CloudFormation's 30 seconds, and what LIST keeps for a last call and its pause.
LIST_SECONDS = 27
LAST_CALL_SECONDS = 10
VERSIONS = 50
SECRET_PRICE = 0.40
CALL_PRICE = 0.05
ACCOUNTS, REGIONS, PARALLEL = 100, 4, 10
CREATE = ("ListAccessKeys", "CreateAccessKey", "ListAccessKeys")
DELETE = ("DeleteAccessKey", "ListAccessKeys")


def duration(seconds: float) -> str:
    """Return a time as a person says it."""
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def list_calls(users: int) -> tuple[int, int]:
    """Return the calls, and the pages, of listing an account."""
    pages = max(1, math.ceil(users / PAGE_USERS))
    return users + pages, pages


def list_seconds(users: int, rate: float = math.inf) -> float:
    """Return the seconds that listing an account takes: one call, then the page's side by side, or what IAM allows."""
    calls, pages = list_calls(users)
    full, rest = divmod(users, PAGE_USERS)
    rounds = pages + full * math.ceil(PAGE_USERS / SIDE_BY_SIDE) + math.ceil(rest / SIDE_BY_SIDE)
    return max(rounds * LATENCY_MS / 1000, calls / rate)


def main() -> None:
    """Write the page and its chart."""
    listed, charted = [], []
    for users in (100, 1000, USERS):
        calls, pages = list_calls(users)
        times = [list_seconds(users), *(list_seconds(users, rate) for rate in RATES)]
        listed.append(f"| {users:,} | {calls:,} | {pages} | {' | '.join(map(duration, times))} |")
    for rate in (*RATES, math.inf):
        limit = "no limit" if rate == math.inf else f"{rate:.0f} calls per second"
        charted.append(Bar(limit, list_seconds(USERS, rate), True))
    CHARTS.mkdir(exist_ok=True)
    (CHARTS / "list.svg").write_text(bars(f"Seconds to list {USERS:,} users", charted))
    rotation_iam = len(CREATE) + len(DELETE)
    rotated = [
        f"| {users:,} | {users * rotation_iam:,} | "
        f"{' | '.join(duration(users * rotation_iam / rate) for rate in RATES)} |"
        for users in (100, 1000, USERS)
    ]
    figures = {
        "rates": ", ".join(map(str, RATES)),
        "middle_rate": RATES[1],
        "secret_cost": USERS * SECRET_PRICE,
        "rate_columns": " | ".join(f"{rate} per second" for rate in RATES),
        "rate_rule": " | ".join("---:" for _ in RATES),
        "list": "\n".join(listed),
        "page_calls": 1 + PAGE_USERS,
        "slowest_rate": (1 + PAGE_USERS) / (LIST_SECONDS - LAST_CALL_SECONDS),
        "rotation_iam": rotation_iam,
        "rotation_calls": ", ".join(CREATE + DELETE),
        "rotation": "\n".join(rotated),
        "rotations_per_hour": USERS / 90 / 24,
        "all_keys": USERS * KEYS_PER_USER,
        "drift_minutes": USERS * KEYS_PER_USER / RATES[1] / 60,
        "registrations": ACCOUNTS * REGIONS,
        "waves": ACCOUNTS // PARALLEL * REGIONS,
    }
    PAGE.write_text(TEMPLATE.read_text().format_map(globals() | figures))


if __name__ == "__main__":
    main()
