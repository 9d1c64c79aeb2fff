"""A project that `cfn init` makes does what its own README.md says, in the order of its table."""

import os
import re
import shlex
import shutil
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from checkout import ROOT, TOOLS
from contract import EXPECTED, SUMMARY, cfn_test_environment
from ports import HOST
from processes import serving

TYPE_NAME, PACKAGE = "Initech::Tps::Report", "initech-tps-report"
PATH = f"{TOOLS}:{os.environ['PATH']}"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """What was built for this workspace is used again; what a note is kept in is this test's own."""
    (tmp_path / "tmp").mkdir()
    return {
        **os.environ,
        "PATH": PATH,
        "TMPDIR": str(tmp_path / "tmp"),
        "CARGO_TARGET_DIR": str(ROOT / "target"),
        "CARGO_NET_OFFLINE": "true",
        "CARGO_INCREMENTAL": "0",
    }


@pytest.fixture
def project(tmp_path: Path, env: Mapping[str, str]) -> Iterator[Path]:
    folder = tmp_path / "project"
    folder.mkdir()
    init = ["init", "--artifact-type", "RESOURCE", "--type-name", TYPE_NAME, "rust", "--runtime-crate", "runtime-crate"]
    (folder / "runtime-crate").symlink_to(ROOT / "runtime")
    run([str(TOOLS / "cfn"), *init], folder, env)
    # The same versions: they are built already.
    shutil.copy(ROOT / "Cargo.lock", folder)
    yield folder
    run(["cargo", "clean", "--quiet", "--package", PACKAGE], folder, env)


def run(command: list[str], folder: Path, env: Mapping[str, str]) -> str:
    """Run a command, which has to succeed, and return what it prints."""
    done = subprocess.run(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=600
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@pytest.mark.timeout(900)
def test_a_new_project_does_what_its_readme_says(project: Path, env: Mapping[str, str]) -> None:
    commands = re.findall(r"`((?:cargo|cfn|sam) .+?)`", (project / "README.md").read_text().partition("\n\n`cfn`")[0])
    its_tests, generate, watch, contract_tests, build, sam, dry_run, submit = map(shlex.split, commands)

    assert "2 passed" in run(its_tests, project, env)

    assert "Wrote" not in run(generate, project, env), "run `make schema` in the workspace, and commit"
    assert run(["cfn", "validate"], project, env) == "Resource schema is valid.\n"

    watch += ["--invoke-address", HOST, "--invoke-port", "PORT"]
    with cfn_test_environment() as cfn_env, serving(watch, env=env, folder=project) as api:
        contract_tests = [word.replace("http://127.0.0.1:9000", api) for word in contract_tests]
        said = run(contract_tests, project, {**env, **cfn_env, "PATH": PATH})
    assert [summary for line in said.splitlines() for summary in SUMMARY.findall(line)] == [EXPECTED]

    # A release build takes minutes.
    assert build == ["cargo", "lambda", "build", "--release", "--x86-64"]
    built = ROOT / "target/debug" / PACKAGE
    binary = project / f"target/lambda/{PACKAGE}/bootstrap"
    binary.parent.mkdir(parents=True)
    shutil.copy(built, binary)
    run(dry_run, project, env)
    with zipfile.ZipFile(project / f"{PACKAGE}.zip") as package:
        inputs = {f"inputs/inputs_1_{use}.json" for use in ("create", "invalid", "update")}
        files = {".cfn_metadata.json", ".rpdk-config", "handler.zip", "schema.json"}
        assert set(package.namelist()) == files | inputs

    # They take Docker, and an account.
    assert (sam[:4], submit) == (["sam", "local", "invoke", "TestEntrypoint"], ["cfn", "submit", "--set-default"])
