"""Count the instructions of one cold READ over TLS, and compare them with the recorded figure.

`instructions.py BINARY` fails where more than 5 % were added, and names the functions that grew; `--record` writes the
figure anew. The binary needs its symbols. Whatever depends on the machine is left out or pinned: the certificates, the
answers, and, by callgrind, the processor. What remains is random: keys of TLS, and how much arrives at a time.
"""

import argparse
import asyncio
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from certificates import certificates, with_one_broken
from function import ROOT, Event, FailedError, first_answers, request
from stand_in import Aws, RuntimeApi, stand_in

RECORDED = ROOT / "benches/cold_read.json"
# How much more than recorded is too much.
ALLOWED = 1.05
# Valgrind makes the function some fifty times slower: on a busy machine its calls can time out.
ATTEMPTS = 3
# As many functions are recorded, and named when they grew.
RECORDED_FUNCTIONS = 200
NAMED_FUNCTIONS = 15
LINE = re.compile(r"\s*([\d,]+) \([ \d.]+%\)\s+[^:]*:(.*?)(?: \[[^]]*\])?")


async def instructions(
    command: Sequence[str | Path], env: Mapping[str, str], runtime: RuntimeApi, events: Sequence[Event], folder: Path
) -> Counter[str]:
    """Return the instructions of one process that answers the events, by function."""
    counts = folder / "callgrind.out"
    callgrind = ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={counts}"]
    await first_answers([*callgrind, *command], env, runtime, events)
    annotate = ["callgrind_annotate", "--threshold=100", str(counts)]
    report = subprocess.run(annotate, check=True, capture_output=True, encoding="utf-8").stdout
    functions = Counter[str]()
    for count, name in (line.groups() for line in map(LINE.fullmatch, report.splitlines()) if line):
        # A line that ends so tells of a call, and counts again what the callee took.
        if re.search(r" \(\d+x\)$", name):
            continue
        # Without the hash that Rust adds, which differs from build to build, and the mark of a recursive call.
        functions[re.sub(r"::h[0-9a-f]{16}|'\d+$", "", name)] += int(count.replace(",", ""))
    return functions


async def cold_read(binary: Path) -> Counter[str]:
    """Return the instructions of a READ by the id alone in a fresh process, by function."""
    aws = Aws()
    aws.add_users(1, keys_each=0)
    [user] = aws.keys
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tls, roots = certificates(folder)
        async with stand_in(aws, tls, with_one_broken(roots)) as places:
            env = places.env
            [created], _ = await first_answers([binary], env, places.runtime, [request("CREATE", {"UserName": user})])
            read = request("READ", {"Id": created["resourceModel"]["Id"]})
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    return await instructions([binary], env, places.runtime, [read], folder)
                except FailedError as error:
                    if attempt == ATTEMPTS:
                        raise
                    print(f"again, because {error}")
            raise AssertionError("the last attempt returns or raises")


def grown(counted: Counter[str], recorded: Counter[str]) -> list[str]:
    """Return the functions that grew most, with what they took before and now."""
    more = (counted - recorded).most_common(NAMED_FUNCTIONS)
    return [f"{name}: {recorded[name]:,} -> {counted[name]:,}" for name, _ in more]


def main() -> int:
    """Count, and record or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("binary", type=Path)
    arguments = parser.parse_args()
    counted = asyncio.run(cold_read(arguments.binary.resolve()))
    total = counted.total()
    if arguments.record:
        functions = dict(counted.most_common(RECORDED_FUNCTIONS))
        RECORDED.write_text(json.dumps({"instructions": total, "functions": functions}, indent=2) + "\n")
    recorded = json.loads(RECORDED.read_text())
    limit = int(recorded["instructions"] * ALLOWED)
    print(f"cold READ: {total:,} instructions (limit {limit:,})")
    if total <= limit:
        return 0
    print("more than recorded in:", *grown(counted, Counter(recorded["functions"])), sep="\n  ")
    print("make record-cold-read records the new figure, if it is meant")
    return 1


if __name__ == "__main__":
    sys.exit(main())
