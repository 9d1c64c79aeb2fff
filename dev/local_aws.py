"""What the function needs around it: AWS, as moto plays it on this machine, and the Lambda API. By their addresses."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from cfn_engine.aws import REGION
from checkout import FUNCTION, TOOLS
from ports import HOST
from processes import running, serving


def aws(host: str = HOST) -> AbstractContextManager[str]:
    """Run AWS, an account with nothing in it."""
    return serving([TOOLS / "moto_server", "-H", host, "-p", "PORT"], host)


def lambda_api() -> AbstractContextManager[str]:
    """Run the Lambda API, which has no function yet."""
    api = ["lambda", "watch", "--only-lambda-apis", "--invoke-address", HOST, "--invoke-port", "PORT"]
    return serving([TOOLS / "cargo-lambda", *api])


def invocations(api: str) -> str:
    """Where a Lambda API takes requests to the function."""
    return f"{api}/2015-03-31/functions/{FUNCTION}/invocations"


def function_environment(api: str, endpoints: Mapping[str, str]) -> dict[str, str]:
    """What the function behind a Lambda API finds in its environment; `endpoints` say where AWS is."""
    return {
        "AWS_LAMBDA_RUNTIME_API": f"{api}/.rt/{FUNCTION}",
        "AWS_LAMBDA_FUNCTION_NAME": FUNCTION,
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        **endpoints,
    }


@contextmanager
def function(binary: Path, endpoint: str) -> Iterator[str]:
    """Run the binary behind the Lambda API, with AWS at an endpoint of this machine, and yield the API's address."""
    # As on Lambda, /tmp is the function's own.
    with TemporaryDirectory() as folder, lambda_api() as api:
        places = {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": REGION, "TMPDIR": folder}
        with running([binary], env=function_environment(api, places)):
            yield api
