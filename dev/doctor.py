"""`make doctor`: say within seconds what this machine lacks for `make test`, and how to install it.

It runs before anything is installed, on a Python that may be too old: it needs the standard library of 3.7 alone.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
# The build takes 4 and the tools 2; the rest is for what Cargo downloads, and for the tests' own files.
FREE_GIGABYTES = 8
IS_ROOT_WITH_APT = os.name == "posix" and os.geteuid() == 0 and shutil.which("apt-get") is not None
BY_MAKE = " (root's `make` installs it)" if IS_ROOT_WITH_APT else ""


class Need(NamedTuple):
    """Something that has to be on the machine."""

    name: str
    is_there: Callable[[], bool]
    remedy: str
    # The only command that needs it, where `make test` does not.
    only_for: str = ""


def runs(*command: str, stdin: str = "") -> str:
    """Return what a command prints, or nothing when it is missing or fails."""
    try:
        done = subprocess.run(
            command, cwd=str(ROOT), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8"
        )
    except OSError:
        return ""
    return (done.stdout or "it runs") if done.returncode == 0 else ""


def rust_version() -> str:
    """Return the oldest Rust that the workspace builds with."""
    [version] = re.findall(r'^rust-version = "([\d.]+)"', (ROOT / "Cargo.toml").read_text(encoding="utf-8"), re.M)
    return str(version)


def has_rust() -> bool:
    """Tell whether cargo runs, and is new enough."""
    found = re.match(r"cargo (\d+)\.(\d+)\.(\d+)", runs("cargo", "--version"))
    return found is not None and [int(part) for part in found.groups()] >= [int(p) for p in rust_version().split(".")]


def compiles(compiler: str, language: str, header: str) -> bool:
    """Tell whether a compiler runs, and finds the library's headers and what to link with."""
    with tempfile.TemporaryDirectory() as folder:
        source = f"#include <{header}>\nint main() {{ return 0; }}\n"
        return bool(runs(compiler, "-x", language, "-", "-o", str(Path(folder, "out")), stdin=source))


def has_venv() -> bool:
    """Tell whether `python3 -m venv` makes an environment with pip: Debian packages ensurepip apart."""
    return bool(runs(sys.executable, "-c", "import venv, ensurepip"))


NEEDS = [
    Need(
        f"Rust {rust_version()} or newer",
        has_rust,
        "with rustup (https://rustup.rs), which is not in Debian 12: rustup update stable",
    ),
    Need("rustfmt", lambda: bool(runs("cargo", "fmt", "--version")), "rustup component add rustfmt"),
    Need("clippy", lambda: bool(runs("cargo", "clippy", "--version")), "rustup component add clippy"),
    Need("git", lambda: bool(runs("git", "--version")), "apt-get install git"),
    Need("a C compiler", lambda: compiles("cc", "c", "stdio.h"), "apt-get install gcc libc6-dev"),
    Need("Python 3.11 or newer", lambda: sys.version_info >= (3, 11), "apt-get install python3"),
    Need("Python's venv", has_venv, "apt-get install python3-venv"),
    Need(f"GnuPG{BY_MAKE}", lambda: bool(BY_MAKE or runs("gpg", "--version")), "apt-get install gnupg"),
    Need(f"Valgrind{BY_MAKE}", lambda: bool(BY_MAKE or shutil.which("valgrind")), "apt-get install valgrind"),
    Need(
        f"{FREE_GIGABYTES} GB of free disk, or what was built before",
        lambda: shutil.disk_usage(str(ROOT)).free >= FREE_GIGABYTES * 10**9 or (ROOT / "target/debug").exists(),
        f"make room for {ROOT}",
    ),
    Need("a C++ compiler", lambda: compiles("c++", "c++", "string"), "apt-get install g++", "make fuzz"),
    Need("Docker", lambda: bool(runs("docker", "--version")), "apt-get install docker.io", "make sam"),
]


def main() -> int:
    """Print a line for each, and return 1 when something is missing that `make test` needs."""
    missing = [need for need in NEEDS if not need.is_there()]
    for need in NEEDS:
        if need not in missing:
            print(f"ok         {need.name}")
        else:
            print(f"missing    {need.name}{f', for `{need.only_for}` alone' if need.only_for else ''}: {need.remedy}")
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        print("note       tested on Linux x86-64 alone; the package can only be built for it")
    fatal = [need.name for need in missing if not need.only_for]
    if fatal:
        print(f"`make test` would fail without {', '.join(fatal)}.")
    return int(bool(fatal))


if __name__ == "__main__":
    sys.exit(main())
