"""`make contract`: the CloudFormation CLI's whole contract suite against the built binary behind the Lambda API."""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3
import moto
from surroundings import AWS_ENVIRONMENT, FUNCTION, HOST, REGION, ROOT, TOOLS, aws, function, reserved_port, running

USER = str(json.loads((ROOT / "inputs/inputs_1_create.json").read_text())["UserName"])


def create_user(endpoint: str) -> None:
    """Create the IAM user that the suite's inputs name: a key needs one that exists."""
    credentials = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    boto3.client("iam", endpoint_url=endpoint, region_name=REGION, **credentials).create_user(UserName=USER)


def contract_suite(lambda_port: int, function: str) -> int:
    """Run the suite against a function behind a Lambda API, and return its exit status.

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
            **AWS_ENVIRONMENT,
        }
        command: list[str | Path] = [TOOLS / "cfn", "test"]
        command += ["--endpoint", f"http://{HOST}:{lambda_port}", "--function-name", function]
        # CloudFormation's own limit for READ and LIST in seconds; the CLI doubles it for the others.
        command += ["--enforce-timeout", "30"]
        quiet = ["--", "--override-ini=log_cli=false", "--disable-warnings"]
        return subprocess.run([*command, *quiet], cwd=ROOT, env=env, timeout=900).returncode


def main() -> int:
    """Run the suite against the binary that the only argument names, and return the suite's exit status."""
    with aws() as aws_port, function(Path(sys.argv[1]).resolve(strict=True), aws_port) as port:
        create_user(f"http://{HOST}:{aws_port}")
        return contract_suite(port, FUNCTION)


if __name__ == "__main__":
    sys.exit(main())
