"""`make contract`: the CloudFormation CLI's whole contract suite against the built binary behind the Lambda API."""

import subprocess
import sys
from pathlib import Path

from surroundings import HOST, ROOT, TOOLS, aws, contract_suite, free_port, running

FUNCTION = "iam-access-key"


def main() -> int:
    """Run the suite against the binary that the only argument names, and return the suite's exit status."""
    binary = Path(sys.argv[1]).resolve(strict=True)
    port = free_port()
    api = ["lambda", "watch", "--only-lambda-apis", "--invoke-address", HOST, "--invoke-port", str(port)]
    with aws() as aws_port, running([TOOLS / "cargo-lambda", *api], port):
        function = subprocess.Popen(
            [binary],
            cwd=ROOT,
            env={
                "AWS_LAMBDA_RUNTIME_API": f"http://{HOST}:{port}/.rt/{FUNCTION}",
                "AWS_LAMBDA_FUNCTION_NAME": FUNCTION,
                "AWS_LAMBDA_FUNCTION_VERSION": "1",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
                "AWS_ENDPOINT_URL": f"http://{HOST}:{aws_port}",
            },
            stdout=subprocess.DEVNULL,
        )
        try:
            return contract_suite(port, FUNCTION)
        finally:
            function.kill()
            function.wait()


if __name__ == "__main__":
    sys.exit(main())
