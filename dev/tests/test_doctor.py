import os
import subprocess
import sys
from pathlib import Path

from checkout import ROOT


def doctor(**environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "dev/doctor.py")]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, encoding="utf-8", timeout=60)


def test_the_doctor_finds_what_the_tests_are_running_with() -> None:
    assert doctor().returncode == 0


def test_the_doctor_names_all_that_is_missing_with_the_command_that_installs_it(tmp_path: Path) -> None:
    bare = doctor(PATH=str(tmp_path))
    assert bare.returncode == 1
    missing = dict(
        line.removeprefix("missing    ").split(": ", 1)
        for line in bare.stdout.splitlines()[:-1]
        if line.startswith("missing")
    )
    assert missing["a C compiler"] == "apt-get install gcc libc6-dev"
    assert missing["clippy"] == "rustup component add clippy"
    assert missing["GnuPG"] == "apt-get install gnupg"
    assert missing["Valgrind"] == "apt-get install valgrind"
    assert missing["a C++ compiler, for `make fuzz` alone"] == "apt-get install g++"
    assert bare.stdout.splitlines()[-1].startswith("`make test` would fail without Rust ")


def test_what_one_other_command_alone_needs_does_not_fail_the_doctor(tmp_path: Path) -> None:
    for name in ("cargo", "cc", "git", "gpg", "valgrind", "ld", "as"):
        found = next(folder for folder in os.get_exec_path() if Path(folder, name).exists())
        (tmp_path / name).symlink_to(Path(found, name))
    limited = doctor(PATH=str(tmp_path))
    assert (limited.returncode, "missing    Docker, for `make sam` alone" in limited.stdout) == (0, True), (
        limited.stdout
    )
