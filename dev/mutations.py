"""`make mutations`: does the simulation notice when a rule of the handlers is switched off.

Each patch beside the simulation switches one rule off, in a copy of the project under target/mutations. The written
lives are played without the rule, and lives drawn from the first seed on, until one breaks an invariant. The table goes
to the page beside the patches. A rule that neither finds is an error.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, STDOUT, CompletedProcess

from checkout import ROOT

PATCHES = ROOT / "handlers/tests/simulation/mutations"
# For every rule. Alone, it is the row of the page in which nothing is switched off.
NOTHING = PATCHES / "000-nothing.patch"
PAGE = PATCHES / "README.md"
BEGIN, END = "<!-- by make mutations -->\n", "<!-- end -->\n"
COPY = ROOT / "target/mutations/source"
# Of its own: Cargo takes a copy's artifacts for the project's.
TARGET = ROOT / "target/mutations/target"
# A build and its lives take minutes.
SECONDS = 3600


def patches(name: str = "") -> list[Path]:
    """Return the patches whose names hold this text, in the order of the page."""
    return [patch for patch in sorted(PATCHES.glob("*.patch")) if name in patch.name]


def rule(patch: Path) -> str:
    """Return the rule that a patch switches off, which is its first line."""
    return patch.read_text().partition("\n")[0]


def apply(patch: Path, *options: str) -> None:
    """Let git apply a patch to the project, or to what the options say."""
    subprocess.run(["git", "apply", *options, patch], cwd=ROOT, check=True)


def copied() -> None:
    """Copy the project, newer than anything built from an earlier copy."""
    shutil.rmtree(COPY, ignore_errors=True)
    ignored = shutil.ignore_patterns("target", ".git", ".venv", "node_modules")
    shutil.copytree(ROOT, COPY, ignore=ignored, copy_function=shutil.copyfile)


@contextmanager
def switched_off(patch: Path) -> Iterator[None]:
    """Apply a patch to the copy, and take it back at the end."""
    there = f"--directory={COPY.relative_to(ROOT)}"
    for each in {NOTHING, patch}:
        apply(each, there)
    yield
    for each in {NOTHING, patch}:
        apply(each, there, "--reverse")


def simulation(tests: str, **environment: str) -> CompletedProcess[str]:
    """Build the copy's simulation, as little of it as the last patches have changed, and run these tests."""
    command = ["cargo", "test", "--quiet", "--profile", "simulation", "--package", "access-key-handlers"]
    command += ["--test", "simulation", "--", tests]
    env = {**os.environ, "CARGO_INCREMENTAL": "1", "CARGO_TARGET_DIR": str(TARGET), **environment}
    return subprocess.run(command, cwd=COPY, env=env, stdout=PIPE, stderr=STDOUT, encoding="utf-8", timeout=SECONDS)


def written_life() -> str:
    """Return the first life of named_lives.rs that breaks something, or a dash."""
    run = simulation("named_lives")
    broken = re.search(r"^ {4}named_lives::(?:\w+::)?(\w+)$", run.stdout, re.MULTILINE)
    if run.returncode and not broken:
        raise RuntimeError(run.stdout)
    return broken[1].replace("_", " ") if broken else "—"


def drawn_lives(lives: int) -> tuple[str, str]:
    """Play drawn lives, and return how many it took until something broke, and what that was."""
    run = simulation("nothing_is_lost", LIVES=str(lives), FIRST_SEED="0", SEED="")
    if run.returncode == 0:
        return f"not in {lives:,}", "—"
    seed, broken = re.search(r"SEED=(\d+),", run.stdout), re.search(r"^broken: (.+)$", run.stdout, re.MULTILINE)
    if not seed or not broken:
        raise RuntimeError(run.stdout)
    return f"{int(seed[1]) + 1:,}", re.sub(r"AKIA[A-Z0-9]{16}", "AKIA…", broken[1])


def rows() -> dict[str, str]:
    """Return the page's rows, by the rules that they begin with."""
    table = PAGE.read_text().split(BEGIN)[1].split(END)[0]
    return {row.split(" | ")[0].removeprefix("| "): row for row in table.splitlines()[2:]}


def write(rows: dict[str, str]) -> None:
    """Put these rows into the page, in the order of the patches."""
    table = ["| switched off | written life | drawn lives | broken |", "| --- | --- | ---: | --- |"]
    table += [rows[rule(patch)] for patch in patches() if rule(patch) in rows]
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(before + BEGIN + "\n".join(table) + "\n" + END + rest.split(END)[1])


def main() -> None:
    """Try the rules whose patches' names hold RULE, LIVES lives at most each, and write down what came of it."""
    lives, tried, missed = int(os.environ["LIVES"]), patches(os.environ["RULE"]), []
    if not tried:
        raise SystemExit(f"No patch in {PATCHES} has {os.environ['RULE']} in its name")
    copied()
    for patch in tried:
        with switched_off(patch):
            life, (drawn, broken) = written_life(), drawn_lives(lives)
        row = f"| {rule(patch)} | {life} | {drawn} | {broken} |"
        print(row, flush=True)
        write(rows() | {rule(patch): row})
        if (life == broken == "—") != (patch == NOTHING):
            missed.append(patch.name)
    if missed:
        raise SystemExit(f"Not found, or found although nothing is switched off: {', '.join(missed)}")


if __name__ == "__main__":
    main()
