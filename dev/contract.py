"""`make contract`: the CloudFormation CLI's whole contract suite against the built binary behind the Lambda API."""

import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3
import moto
from surroundings import (
    AWS_ENVIRONMENT,
    FUNCTION,
    HOST,
    REGION,
    ROOT,
    TOOLS,
    aws,
    function,
    isolate,
    reserved_port,
    running,
    stop_on_signals,
)

USER = str(json.loads((ROOT / "inputs/inputs_1_create.json").read_text())["UserName"])
# What pytest says at the end, for each of the two inputs. Skipped are the tests for types whose identifier a template
# sets, deselected those for hooks. Another version of the CLI may have other tests: change it here, and in README.md.
EXPECTED = ["13 passed, 2 skipped, 9 deselected"] * 2
SUMMARY = re.compile(r"^=+ (.+?)(?:, \d+ warnings?)? in [\d.]+s")
TIMEOUT_SECONDS = 900


def create_user(endpoint: str) -> None:
    """Create the IAM user that the suite's inputs name: a key needs one that exists."""
    credentials = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    boto3.client("iam", endpoint_url=endpoint, region_name=REGION, **credentials).create_user(UserName=USER)


def contract_suite(lambda_port: int, function_name: str) -> int:
    """Run the suite against a function behind a Lambda API, and return 1 unless each of its tests ended as expected.

    The CLI asks the real STS endpoint for credentials, whatever the settings: moto's proxy answers for it.
    """
    with (
        reserved_port() as proxy_port,
        running([TOOLS / "moto_proxy", "-H", HOST, "-p", str(proxy_port)], proxy_port),
        # Without the settings and the type configuration of whoever runs this.
        TemporaryDirectory() as home,
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
        status, summaries = shown([*command, *quiet], env)
    if summaries != EXPECTED:
        print(f"the contract tests were to say {EXPECTED}, and said {summaries}: see EXPECTED in dev/contract.py")
    return int(status != 0 or summaries != EXPECTED)


def shown(command: list[str | Path], env: dict[str, str]) -> tuple[int, list[str]]:
    """Run pytest with its output shown as it comes, and return its exit status and its summaries."""
    summaries: list[str] = []
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, encoding="utf-8") as suite:
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


def main() -> int:
    """Run the suite against the binary that the only argument names, and return the exit status."""
    isolate()
    stop_on_signals()
    with aws() as aws_port, function(Path(sys.argv[1]).resolve(strict=True), aws_port) as port:
        create_user(f"http://{HOST}:{aws_port}")
        return contract_suite(port, FUNCTION)


if __name__ == "__main__":
    sys.exit(main())
