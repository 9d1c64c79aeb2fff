"""`make bench`: measure the function beside its peers, and write docs/performance.md.

Every comparison is of figures taken in one run, in turns, on one machine: how fast that machine is, and what else it
does, is in both. CPU time and instructions tell more than the clock where others use the machine too.
"""

import asyncio
import os
import platform
import ssl
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from certificates import as_on_amazon_linux, certificates
from delivery import delivery
from function import ROOT, Cost, Event, first_answers, request
from instructions import instructions
from sizes import sizes
from stand_in import Aws, Places, stand_in

PAGE = ROOT / "docs/performance.md"
PEERS = ROOT / "benches/peers"

ACTIONS = ("CREATE", "READ", "DELETE", "LIST")
# What a Lambda function with 256 MiB has of a core, which comes with 1,769 MB.
SHARE = 256 / 1769
# The users of the account in which the four actions are measured.
USERS = 20
ROUNDS = 5
WARM_READS = 100
# The floor is close: it takes more rounds to tell them apart.
FLOOR_ROUNDS = 20
FLOOR_USER = "user-00009"
LATENCY = 0.05
# Where round trips are counted: so much that what a busy machine adds to them hardly shows.
LONG_LATENCY = 0.5
LISTED_USERS = (10, 100, 1000, 5000)
# As many calls side by side as LIST makes.
CONCURRENT_CALLS = 8
# What the stand-in answers per second when it throttles: an eighth of what LIST would ask for.
THROTTLED_RATE = 20.0
THROTTLED_USERS = 300
# The round trips that ARCHITECTURE.md plans for a key whose user is named and has no other.
PLANNED_ROUND_TRIPS = {"CREATE": 4, "READ": 2, "DELETE": 2, "LIST": 4}


@dataclass(frozen=True)
class Function:
    """An implementation, as a Lambda function."""

    name: str
    command: Sequence[str]
    cwd: Path


@contextmanager
def limited(function: Function) -> Iterator[Function]:
    """Yield the function with the CPU limited to its share by a cgroup (version 1), which takes root."""
    group = Path(f"/sys/fs/cgroup/cpu/bench-{os.getpid()}")
    group.mkdir()
    try:
        # Lambda's period, as its functions see it.
        (group / "cpu.cfs_period_us").write_text("20000")
        (group / "cpu.cfs_quota_us").write_text(str(int(20000 * SHARE)))
        enter = ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(group)]
        yield Function(function.name, [*enter, *function.command], function.cwd)
    finally:
        group.rmdir()


@dataclass(frozen=True)
class Listing:
    """How listing all users of an account went."""

    users: int
    calls: int
    seconds: float
    keys: int
    peak_bytes: int
    throttled: int

    @property
    def ideal(self) -> float:
        """Seconds that the calls take where as many as allowed are always under way."""
        return self.calls / CONCURRENT_CALLS * LATENCY


class Bench:
    """The measurements, against one stand-in."""

    def __init__(self, aws: Aws, places: Places, folder: Path) -> None:
        """Take where AWS is, and a folder for files of measurements."""
        self.aws, self.runtime, self.env, self.folder = aws, places.runtime, places.env, folder

    async def run(self, function: Function, events: Sequence[Event]) -> tuple[list[Event], Cost]:
        """Return a fresh process's answers and cost."""
        return await first_answers(function.command, self.env, self.runtime, events, function.cwd)

    async def cold(self, function: Function) -> dict[str, Cost]:
        """Return what each action costs in a fresh process: a key is created, read and deleted; then all are listed."""
        [created], create = await self.run(function, [request("CREATE", {"UserName": "user-00000"})])
        key = {"Id": created["resourceModel"]["Id"]}
        _, read = await self.run(function, [request("READ", key)])
        _, delete = await self.run(function, [request("DELETE", key | {"UserName": "user-00000"})])
        _, list_ = await self.run(function, [request("LIST", {})])
        return {"CREATE": create, "READ": read, "DELETE": delete, "LIST": list_}

    async def cold_instructions(self, function: Function) -> dict[str, int]:
        """Return the instructions of each action in a fresh process."""

        async def count(event: Event) -> int:
            return (await instructions(function.command, self.env, self.runtime, [event], self.folder)).total()

        [created], _ = await self.run(function, [request("CREATE", {"UserName": "user-00000"})])
        key = {"Id": created["resourceModel"]["Id"]}
        return {
            "CREATE": await count(request("CREATE", {"UserName": "user-00001"})),
            "READ": await count(request("READ", key)),
            "DELETE": await count(request("DELETE", key | {"UserName": "user-00000"})),
            "LIST": await count(request("LIST", {})),
        }

    async def reads(self, ours: Function, floor: Function, rounds: int) -> dict[str, tuple[Cost, int]]:
        """Return what a cold READ takes, with its instructions: also where roots are found as on Amazon Linux 2023."""
        [created], _ = await self.run(ours, [request("CREATE", {"UserName": FLOOR_USER})])
        key = {"Id": created["resourceModel"]["Id"]}
        [secret] = (name for name in self.aws.secrets if name.endswith(key["Id"]))
        read, both = request("READ", key), {"action": "the floor", "user": FLOOR_USER, "secret": secret}
        on_amazon_linux = self.env | as_on_amazon_linux(self.folder, Path(self.env["SSL_CERT_FILE"]))
        events = {
            "READ": (ours, self.env, read),
            "READ, roots as on Amazon Linux 2023": (ours, on_amazon_linux, read),
            "the floor": (floor, self.env, both),
        }
        costs: dict[str, list[Cost]] = {name: [] for name in events}
        for _ in range(rounds):
            for name, (function, env, event) in events.items():
                _, cost = await first_answers(function.command, env, self.runtime, [event], function.cwd)
                costs[name].append(cost)
        counts = {
            name: await instructions(function.command, env, self.runtime, [event], self.folder)
            for name, (function, env, event) in events.items()
        }
        await self.run(ours, [request("DELETE", key | {"UserName": FLOOR_USER})])
        return {name: (median(costs[name]), counts[name].total()) for name in events}

    async def warm_cpu(self, function: Function) -> float:
        """Return the CPU seconds of one READ in a process that has answered before."""
        [created], _ = await self.run(function, [request("CREATE", {"UserName": "user-00000"})])
        read = request("READ", {"Id": created["resourceModel"]["Id"]})
        _, one = await self.run(function, [read])
        _, many = await self.run(function, [read] * (1 + WARM_READS))
        return (many.cpu_seconds - one.cpu_seconds) / WARM_READS

    async def round_trips(self, function: Function) -> dict[str, float]:
        """Return how many times the latency of a call each action takes, once connections are there."""
        self.aws.latency = LONG_LATENCY
        loop = asyncio.get_running_loop()
        taken: dict[str, float] = {}
        with started(function, self.env):
            key: dict[str, str] = {}
            for turn in range(2):
                for action in ACTIONS:
                    user = {"UserName": f"user-0000{2 + turn}"}
                    properties = {"CREATE": user, "READ": key, "DELETE": user | key, "LIST": {}}[action]
                    began = loop.time()
                    answer = await self.runtime.invoke(request(action, properties))
                    taken[action] = (loop.time() - began) / LONG_LATENCY
                    if action == "CREATE":
                        key = {"Id": answer["resourceModel"]["Id"]}
        await asyncio.sleep(0.05)
        self.aws.latency = 0.0
        return taken


@contextmanager
def started(function: Function, env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that answers until the caller is done."""
    silent = subprocess.DEVNULL
    process = subprocess.Popen(function.command, env=env, cwd=function.cwd, stdin=silent, stdout=silent, stderr=silent)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


async def listing(function: Function, users: int, rate: float | None, tls: ssl.SSLContext, roots: Path) -> Listing:
    """Return how listing an account of so many users goes, page by page, in one process."""
    aws = Aws(latency=LATENCY)
    aws.add_users(users)
    async with stand_in(aws, tls, roots) as places:
        with started(function, places.env) as process:
            # The connections are made first.
            await places.runtime.invoke(request("LIST", {"UserName": "user-00000"}))
            aws.limit(rate)
            loop = asyncio.get_running_loop()
            token, keys, began = None, 0, loop.time()
            aws.calls.clear()
            while True:
                page = await places.runtime.invoke(request("LIST", {}) | {"nextToken": token})
                if page["status"] != "SUCCESS":
                    raise RuntimeError(f"LIST of {users} users: {page}")
                keys += len(page["resourceModels"])
                token = page.get("nextToken")
                if token is None:
                    break
            seconds = loop.time() - began
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = int(status.partition("VmHWM:")[2].split()[0]) * 1024
    throttled = aws.calls.pop("Throttling", 0)
    return Listing(users, aws.calls.total(), seconds, keys, peak, throttled)


def median(runs: Sequence[Cost]) -> Cost:
    """Return the median of each figure."""
    return Cost(*map(statistics.median, zip(*map(astuple, runs), strict=True)))


async def measure(ours: Function, peer: Function, floor: Function, rounds: int) -> dict[str, str]:
    """Measure, and return what the page says."""
    aws = Aws()
    aws.add_users(USERS, keys_each=0)
    load = os.getloadavg()[0]
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tls, roots = certificates(folder)
        async with stand_in(aws, tls, roots) as places:
            bench = Bench(aws, places, folder)
            cold: dict[str, list[dict[str, Cost]]] = {ours.name: [], peer.name: []}
            for number in range(rounds):
                for function in (ours, peer):
                    say(f"cold starts of {function.name}, round {number + 1} of {rounds}")
                    cold[function.name].append(await bench.cold(function))
            slow: dict[str, list[dict[str, Cost]]] = {ours.name: [], peer.name: []}
            for function in (ours, peer):
                say(f"cold starts of {function.name} with a seventh of a core")
                with limited(function) as held:
                    slow[function.name].append(await bench.cold(held))
            say("instructions")
            counts = await bench.cold_instructions(ours)
            say("cold READs beside the floor")
            reads = await bench.reads(ours, floor, FLOOR_ROUNDS)
            say("warm invocations")
            warm = {function.name: await bench.warm_cpu(function) for function in (ours, peer)}
            say("round trips")
            trips = await bench.round_trips(ours)
        listings = []
        for users, rate in [*((users, None) for users in LISTED_USERS), (THROTTLED_USERS, THROTTLED_RATE)]:
            say(f"LIST over {users} users{' of an IAM that throttles' if rate else ''}")
            listings.append(await listing(ours, users, rate, tls, roots))
    say("delivery of logs and metrics")
    delivered = await delivery(Path(ours.command[0]))
    return {
        "machine": machine(load),
        **cold_tables(ours, peer, cold, slow, counts),
        **read_table(reads),
        "warm": f"{warm[ours.name] * 1000:.2f}",
        "warm_ratio": f"{warm[peer.name] / warm[ours.name]:.0f}",
        "warm_reads": str(WARM_READS),
        "long_latency": f"{LONG_LATENCY * 1000:.0f}",
        "trips": "\n".join(f"| {a} | {trips[a]:.1f} | {PLANNED_ROUND_TRIPS[a]} |" for a in ACTIONS),
        "delivery": "\n".join(delivered),
        **list_table(listings),
    }


def cold_tables(
    ours: Function,
    peer: Function,
    cold: dict[str, list[dict[str, Cost]]],
    slow: dict[str, list[dict[str, Cost]]],
    counts: dict[str, int],
) -> dict[str, str]:
    """Return the tables of cold starts."""
    rows, slow_rows = [], []
    for action in ACTIONS:
        own, other = (median([run[action] for run in cold[function.name]]) for function in (ours, peer))
        rows.append(
            f"| {action} | {own.seconds * 1000:.0f} ms | {other.seconds / own.seconds:.0f} | "
            f"{own.cpu_seconds * 1000:.1f} ms | {other.cpu_seconds / own.cpu_seconds:.0f} | "
            f"{counts[action] / 1e6:.1f} million | "
            f"{own.peak_bytes / 1e6:.1f} MB | {other.peak_bytes / own.peak_bytes:.1f} | "
            f"{own.own_bytes / 1e6:.1f} MB | {other.own_bytes / own.own_bytes:.0f} |"
        )
        own, other = (median([run[action] for run in slow[function.name]]) for function in (ours, peer))
        slow_rows.append(
            f"| {action} | {own.seconds * 1000:.0f} ms | {other.seconds * 1000:,.0f} ms | "
            f"{other.seconds / own.seconds:.0f} |"
        )
    return {"rounds": str(len(cold[ours.name])), "cold": "\n".join(rows), "slow": "\n".join(slow_rows)}


def read_table(reads: Mapping[str, tuple[Cost, int]]) -> dict[str, str]:
    """Return the table of cold READs beside the floor."""
    floor, floor_count = reads["the floor"]
    rows = [
        f"| {title} | {cost.seconds * 1000:.1f} ms | {cost.seconds / floor.seconds:.2f} | "
        f"{cost.cpu_seconds * 1000:.1f} ms | {cost.cpu_seconds / floor.cpu_seconds:.2f} | "
        f"{count / 1e6:.1f} million | {count / floor_count:.2f} | "
        f"{cost.peak_bytes / 1e6:.1f} MB | {cost.own_bytes / 1e6:.1f} MB |"
        for title, (cost, count) in reads.items()
    ]
    return {"floor_rounds": str(FLOOR_ROUNDS), "reads": "\n".join(rows)}


def list_table(listings: Sequence[Listing]) -> dict[str, str]:
    """Return the table of LIST; the last one was throttled."""
    *free, throttled = listings
    return {
        "latency": f"{LATENCY * 1000:.0f}",
        "list": "\n".join(
            f"| {each.users:,} | {each.calls:,} | {each.seconds:.1f} s | {each.ideal:.1f} s | "
            f"{each.seconds / each.ideal:.2f} | {each.peak_bytes / 1e6:.1f} MB |"
            for each in free
        ),
        "concurrent": str(CONCURRENT_CALLS),
        "rate": f"{THROTTLED_RATE:.0f}",
        "throttled_users": f"{throttled.users:,}",
        "throttled_keys": f"{throttled.keys:,}",
        "throttled_calls": f"{throttled.throttled:,}",
        "throttled_seconds": f"{throttled.seconds:.0f}",
        "throttled_ideal": f"{(throttled.calls - THROTTLED_RATE) / THROTTLED_RATE:.0f}",
    }


def machine(load: float) -> str:
    """Return where the figures were taken."""
    processors = [
        line.partition(":")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    rust = subprocess.run(["rustc", "--version"], capture_output=True, encoding="utf-8", check=True).stdout.split()[1]
    return (
        f"{len(processors)} × {processors[0].strip()}, Linux {platform.release().split('-')[0]}, Rust {rust}, "
        f"Python {platform.python_version()}; load average {load:.1f} when it began"
    )


def say(what: str) -> None:
    """Say what is being done."""
    print(f"== {what}", flush=True)


def main() -> None:
    """Measure a binary, the same with its symbols and the built floor, beside what runs on the peer's Python."""
    binary, unstripped, floor, python = (Path(argument).absolute() for argument in sys.argv[1:])
    ours = Function("this project", [str(binary)], ROOT)
    peer = Function("official Python runtime", [str(python), "-m", "awslambdaric", "handlers.resource"], PEERS)
    said = asyncio.run(measure(ours, peer, Function("the floor", [str(floor)], ROOT), ROUNDS))
    said |= sizes(binary, unstripped)
    PAGE.write_text((ROOT / "benches/performance.md.in").read_text().format_map(said))
    say(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
