"""`make contract`: both of CloudFormation's suites of contract tests against built binaries behind the Lambda API.

The first is the CloudFormation CLI's own; the second, contract tests v2, is played by `contract_v2`. They run side by
side, each in an account of its own: what they do is mostly to wait until AWS would agree.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import moto
from cfn_engine.aws import ENVIRONMENT, isolate
from checkout import FUNCTION, ROOT, TOOLS
from local_aws import aws, function
from ports import HOST
from processes import running, serving, stop_on_signals
from projects import PROJECTS, Project, rendered

# What pytest says at the end of the CLI's own suite. Skipped are the tests for types whose identifier a template sets,
# deselected those for hooks. Another version of the CLI may have other tests.
EXPECTED = "13 passed, 2 skipped, 9 deselected"
SUMMARY = re.compile(r"^=+ (.+?)(?:, \d+ warnings?)? in [\d.]+s")
TIMEOUT_SECONDS = 900


def contract_suite(project: Project, api: str, function_name: str) -> int:
    """Run the CLI's own suite against a project's function behind a Lambda API; return 1 unless all is as expected."""
    with cfn_test_environment() as env, rendered_copy(project) as folder:
        command: list[str | Path] = [TOOLS / "cfn", "test"]
        command += ["--endpoint", api, "--function-name", function_name]
        # CloudFormation's own limit for READ and LIST in seconds; the CLI doubles it for the others.
        command += ["--enforce-timeout", "30"]
        quiet = ["--", "--override-ini=log_cli=false", "--disable-warnings"]
        status, summaries = shown([*command, *quiet], folder, env)
    expected = [EXPECTED] * len(project.input_sets())
    if summaries != expected:
        print(f"the contract tests were to say {expected}, and said {summaries}: see EXPECTED in dev/contract.py")
    return int(status != 0 or summaries != expected)


@contextmanager
def cfn_test_environment() -> Iterator[dict[str, str]]:
    """Yield the environment of `cfn test`, without the settings and the type configuration of whoever runs this.

    The CLI asks the real STS endpoint for credentials, whatever the settings: moto's proxy answers for it.
    """
    with serving([TOOLS / "moto_proxy", "-H", HOST, "-p", "PORT"]) as proxy, TemporaryDirectory() as home:
        yield {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "HTTPS_PROXY": proxy,
            "NO_PROXY": HOST,
            "AWS_CA_BUNDLE": str(Path(moto.__file__).parent / "moto_proxy" / "ca.crt"),
            "PYTHONUNBUFFERED": "1",
            **ENVIRONMENT,
        }


@contextmanager
def rendered_copy(project: Project) -> Iterator[Path]:
    """Yield a copy of what `cfn test` reads of a project, with the template variables of the inputs replaced.

    To contract tests v2, `{{region}}` is the region. To `cfn test` it is the name of a stack's export.
    """
    with TemporaryDirectory() as folder:
        for path in (project.folder / ".rpdk-config", project.schema):
            shutil.copy(path, folder)
        Path(folder, "inputs").mkdir()
        for files in project.input_files().values():
            for path in files.values():
                Path(folder, "inputs", path.name).write_text(rendered(path))
        yield Path(folder)


def shown(command: list[str | Path], folder: Path, env: dict[str, str]) -> tuple[int, list[str]]:
    """Run pytest with its output shown as it comes, and return its exit status and its summaries."""
    summaries: list[str] = []
    with subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, encoding="utf-8") as suite:
        timer = threading.Timer(TIMEOUT_SECONDS, suite.kill)
        timer.start()
        try:
            for line in suite.stdout or ():
                print(line, end="", flush=True)
                summaries += SUMMARY.findall(line)
        except BaseException:
            suite.kill()
            raise
        finally:
            timer.cancel()
    return suite.returncode, summaries


def contract_tests_v2(binary: Path, log: Path) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Play contract tests v2 against the binary beside whatever the caller does, with the output in `log`."""
    command = [sys.executable, "-m", "pytest", "--quiet", "--tb=short", "contract_v2", f"--binary={binary}"]
    command += ["--write-page"] if PROJECTS[binary.name].has_page else []
    # At an interrupt pytest stops what it has started.
    return running(command, log=log, stop=signal.SIGINT, patience=None, folder=ROOT / "dev")


def both_suites(binary: Path) -> int:
    """Run both suites against the binary of a project, and return an exit status."""
    project = PROJECTS[binary.name]
    with TemporaryDirectory() as folder:
        log = Path(folder, "log")
        try:
            with contract_tests_v2(binary, log) as v2:
                with aws() as endpoint, function(binary, endpoint) as api:
                    project.prepare(endpoint)
                    status = contract_suite(project, api, FUNCTION)
                status |= v2.wait(TIMEOUT_SECONDS)
        finally:
            print(f"== contract tests v2\n{log.read_text()}")
    return int(status != 0)


def main() -> int:
    """Run both suites against each binary that an argument names, and return the exit status."""
    isolate()
    stop_on_signals()
    statuses = []
    for name in sys.argv[1:]:
        binary = Path(name).resolve(strict=True)
        print(f"== {binary.name}", flush=True)
        statuses.append(both_suites(binary))
    return max(statuses)


if __name__ == "__main__":
    sys.exit(main())
