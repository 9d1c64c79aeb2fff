"""`make contract`: both of CloudFormation's suites of contract tests against the built binary behind the Lambda API.

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
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import moto
from ports import HOST, reserved_port
from surroundings import AWS_ENVIRONMENT, FUNCTION, ROOT, TOOLS, aws, function, isolate, running, stop_on_signals

from inputs import create_users, input_files, input_sets, rendered

# What pytest says at the end of the CLI's own suite. Skipped are the tests for types whose identifier a template sets,
# deselected those for hooks. Another version of the CLI may have other tests.
EXPECTED = "13 passed, 2 skipped, 9 deselected"
SUMMARY = re.compile(r"^=+ (.+?)(?:, \d+ warnings?)? in [\d.]+s")
TIMEOUT_SECONDS = 900


def contract_suite(lambda_port: int, function_name: str) -> int:
    """Run the CLI's own suite against a function behind a Lambda API; return 1 unless each test ended as expected.

    The CLI asks the real STS endpoint for credentials, whatever the settings: moto's proxy answers for it.
    """
    with (
        reserved_port() as proxy_port,
        running([TOOLS / "moto_proxy", "-H", HOST, "-p", str(proxy_port)], proxy_port),
        # Without the settings and the type configuration of whoever runs this.
        TemporaryDirectory() as home,
        rendered_project() as project,
    ):
        env = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "HTTPS_PROXY": f"http://{HOST}:{proxy_port}",
            "NO_PROXY": HOST,
            "AWS_CA_BUNDLE": str(Path(moto.__file__).parent / "moto_proxy" / "ca.crt"),
            "PYTHONUNBUFFERED": "1",
            **AWS_ENVIRONMENT,
        }
        command: list[str | Path] = [TOOLS / "cfn", "test"]
        command += ["--endpoint", f"http://{HOST}:{lambda_port}", "--function-name", function_name]
        # CloudFormation's own limit for READ and LIST in seconds; the CLI doubles it for the others.
        command += ["--enforce-timeout", "30"]
        quiet = ["--", "--override-ini=log_cli=false", "--disable-warnings"]
        status, summaries = shown([*command, *quiet], project, env)
    expected = [EXPECTED] * len(input_sets())
    if summaries != expected:
        print(f"the contract tests were to say {expected}, and said {summaries}: see EXPECTED in dev/contract.py")
    return int(status != 0 or summaries != expected)


@contextmanager
def rendered_project() -> Iterator[Path]:
    """Yield a copy of what `cfn test` reads of the project, with the template variables of the inputs replaced.

    To contract tests v2, `{{region}}` is the region. To `cfn test` it is the name of a stack's export.
    """
    with TemporaryDirectory() as folder:
        for name in (".rpdk-config", "aws-iam-accesskey.json"):
            shutil.copy(ROOT / name, folder)
        Path(folder, "inputs").mkdir()
        for files in input_files().values():
            for path in files.values():
                Path(folder, "inputs", path.name).write_text(rendered(path.read_text()))
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


@contextmanager
def contract_tests_v2(binary: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Play contract tests v2 against the binary beside whatever the caller does, with the output in `log`."""
    command = [sys.executable, "-m", "pytest", "--quiet", "--tb=short", "--write-page", "contract_v2"]
    env = {**os.environ, "IAM_ACCESS_KEY_BINARY": str(binary)}
    with (
        open(log, "wb") as output,
        subprocess.Popen(command, cwd=ROOT / "dev", env=env, stdout=output, stderr=output) as suite,
    ):
        try:
            yield suite
        finally:
            # At an interrupt pytest stops what it has started.
            suite.send_signal(signal.SIGINT)


def main() -> int:
    """Run both suites against the binary that the only argument names, and return the exit status."""
    isolate()
    stop_on_signals()
    binary = Path(sys.argv[1]).resolve(strict=True)
    with TemporaryDirectory() as folder:
        log = Path(folder, "log")
        try:
            with contract_tests_v2(binary, log) as v2:
                with aws() as aws_port, function(binary, aws_port) as port:
                    create_users(f"http://{HOST}:{aws_port}")
                    status = contract_suite(port, FUNCTION)
                status |= v2.wait(TIMEOUT_SECONDS)
        finally:
            print(f"== contract tests v2\n{log.read_text()}")
    return int(status != 0)


if __name__ == "__main__":
    sys.exit(main())
