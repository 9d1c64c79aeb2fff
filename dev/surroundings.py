"""What the built function needs around it on this machine: AWS, as moto plays it, and the Lambda API.

Every process is stopped by its own handle, and every port is its owner's alone.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from ports import HOST, reserved_port

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".venv/bin"
FUNCTION = "iam-access-key"
SCHEMA = ROOT / "schema/aws-iam-accesskey.json"
# The properties of a model that are not shown, although nothing here is real.
SECRETS = ("SecretAccessKey", "SesSmtpPasswordV4")
# CloudFormation calls again after these, with the same bearer token (resource type handler error codes). How often, and
# how soon, is not documented.
RETRIABLE = {"NetworkFailure", "Throttling", "ServiceInternalError", "ResourceConflict"}
REGION = "us-east-1"
# moto takes any credentials; these, and the rest, keep the settings of whoever runs this from being used.
AWS_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
STOPPING = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


def isolate() -> None:
    """Let this process, and all that it starts, talk to this machine alone, whatever the caller's settings are."""
    for name in list(os.environ):
        if name.upper().startswith("AWS_") or name.upper().endswith("_PROXY"):
            del os.environ[name]
    os.environ.update(AWS_ENVIRONMENT)


def stop_on_signals() -> None:
    """Let a signal to stop end this process like an exit, so that what it started ends before it."""
    for each in STOPPING:
        signal.signal(each, _stop)


def _stop(number: int, _frame: FrameType | None) -> None:
    # A second signal must not disturb what ends now.
    for each in STOPPING:
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(f"\n== stopped by {signal.Signals(number).name}")


def built_binary() -> Path:
    """Return what IAM_ACCESS_KEY_BINARY names, or else what `cargo build` makes; SystemExit if it is missing."""
    binary = Path(os.environ.get("IAM_ACCESS_KEY_BINARY", ROOT / "target/debug" / FUNCTION))
    if not binary.exists():
        raise SystemExit(f"== {binary} is missing: run `cargo build`, or set IAM_ACCESS_KEY_BINARY")
    return binary


@contextmanager
def running(
    command: Sequence[str | Path],
    port: int | None = None,
    env: Mapping[str, str] | None = None,
    host: str = HOST,
    log: Path | None = None,
    stop: signal.Signals = signal.SIGTERM,
    folder: Path = ROOT,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process until the caller is done, and its output into `log`; a server has a minute to listen on `port`."""
    with open(log or os.devnull, "wb") as file:
        output = file if log or not os.environ.get("VERBOSE") else None
        with subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process:
            try:
                if port:
                    _wait_for(host, port, process)
                yield process
            finally:
                process.send_signal(stop)
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()


@contextmanager
def aws(host: str = HOST) -> Iterator[int]:
    """Run AWS, an account with nothing in it, and yield its port."""
    with (
        reserved_port(host) as port,
        running([TOOLS / "moto_server", "-H", host, "-p", str(port)], port, host=host),
    ):
        yield port


@contextmanager
def lambda_api() -> Iterator[int]:
    """Run the Lambda API, which has no function yet, and yield its port."""
    with reserved_port() as port:
        api = ["lambda", "watch", "--only-lambda-apis", "--invoke-address", HOST, "--invoke-port", str(port)]
        with running([TOOLS / "cargo-lambda", *api], port):
            yield port


def function_environment(api_port: int, endpoints: Mapping[str, str]) -> dict[str, str]:
    """What the function behind a Lambda API finds in its environment; `endpoints` say where AWS is."""
    return {
        "AWS_LAMBDA_RUNTIME_API": f"http://{HOST}:{api_port}/.rt/{FUNCTION}",
        "AWS_LAMBDA_FUNCTION_NAME": FUNCTION,
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        **endpoints,
    }


@contextmanager
def function(binary: Path, aws_port: int) -> Iterator[int]:
    """Run the binary behind the Lambda API, with AWS at a port of this machine, and yield the API's port."""
    endpoints = {"AWS_ENDPOINT_URL": f"http://{HOST}:{aws_port}", "AWS_REGION": REGION}
    # As on Lambda, /tmp is the function's own.
    with (
        TemporaryDirectory() as folder,
        lambda_api() as port,
        running([binary], env={**function_environment(port, endpoints), "TMPDIR": folder}),
    ):
        yield port


def _wait_for(host: str, port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        with socket.socket() as connection:
            if connection.connect_ex((host, port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{server.args!r} does not listen on port {port}; run again with VERBOSE=1 to see why")
