"""`make contract`: the CloudFormation CLI's whole contract suite against the built binary behind the Lambda API."""

import sys
from pathlib import Path

from surroundings import FUNCTION, aws, contract_suite, function


def main() -> int:
    """Run the suite against the binary that the only argument names, and return the suite's exit status."""
    with aws() as aws_port, function(Path(sys.argv[1]).resolve(strict=True), aws_port) as port:
        return contract_suite(port, FUNCTION)


if __name__ == "__main__":
    sys.exit(main())
