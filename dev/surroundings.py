"""What the built function needs around it on this machine: AWS, as moto plays it, and the CLI's contract suite.

Every process is stopped by its own handle, and every port is a free one.
"""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3
import moto

ROOT = Path(__file__).parent.parent
TOOLS = ROOT / ".venv/bin"
FUNCTION = "iam-access-key"
HOST = "127.0.0.1"
REGION = "us-east-1"
# moto takes any credentials; these keep real ones on this machine from being used.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": REGION}


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str | Path],
    port: int,
    env: Mapping[str, str] | None = None,
    host: str = HOST,
    stop: signal.Signals = signal.SIGTERM,
) -> Iterator[None]:
    """Run a server until the caller is done; it has to listen on `port` within a minute."""
    output = None if os.environ.get("VERBOSE") else subprocess.DEVNULL
    with subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as server:
        try:
            _wait_for(host, port, server)
            yield
        finally:
            server.send_signal(stop)
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()


@contextmanager
def aws(host: str = HOST) -> Iterator[int]:
    """Run AWS, holding the IAM user that the contract inputs name, and yield its port."""
    port = free_port()
    with running([TOOLS / "moto_server", "-H", host, "-p", str(port)], port, host=host):
        iam = boto3.client(
            "iam",
            endpoint_url=f"http://{host}:{port}",
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )
        iam.create_user(UserName=json.loads((ROOT / "inputs/inputs_1_create.json").read_text())["UserName"])
        yield port


@contextmanager
def function(binary: Path, aws_port: int) -> Iterator[int]:
    """Run the binary behind the Lambda API, and yield the API's port."""
    port = free_port()
    api = ["lambda", "watch", "--only-lambda-apis", "--invoke-address", HOST, "--invoke-port", str(port)]
    env = {
        "AWS_LAMBDA_RUNTIME_API": f"http://{HOST}:{port}/.rt/{FUNCTION}",
        "AWS_LAMBDA_FUNCTION_NAME": FUNCTION,
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_ENDPOINT_URL": f"http://{HOST}:{aws_port}",
    }
    with (
        running([TOOLS / "cargo-lambda", *api], port),
        subprocess.Popen([binary], cwd=ROOT, env=env, stdout=subprocess.DEVNULL) as process,
    ):
        try:
            yield port
        finally:
            process.kill()


def contract_suite(lambda_port: int, function: str) -> int:
    """Run the CLI's whole contract suite against a function behind a Lambda API, and return its exit status.

    The CLI asks the real STS endpoint for credentials, whatever the settings: moto's proxy answers for it.
    """
    proxy_port = free_port()
    with ExitStack() as stack:
        stack.enter_context(running([TOOLS / "moto_proxy", "-H", HOST, "-p", str(proxy_port)], proxy_port))
        # Without the settings and the type configuration of whoever runs this.
        home = stack.enter_context(TemporaryDirectory())
        env = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "HTTPS_PROXY": f"http://{HOST}:{proxy_port}",
            "NO_PROXY": HOST,
            "AWS_CA_BUNDLE": str(Path(moto.__file__).parent / "moto_proxy" / "ca.crt"),
            **CREDENTIALS,
        }
        command: list[str | Path] = [TOOLS / "cfn", "test"]
        command += ["--endpoint", f"http://{HOST}:{lambda_port}", "--function-name", function]
        # CloudFormation's own limit for READ and LIST in seconds; the CLI doubles it for the others.
        command += ["--enforce-timeout", "30"]
        quiet = ["--", "--override-ini=log_cli=false", "--disable-warnings"]
        return subprocess.run([*command, *quiet], cwd=ROOT, env=env, timeout=900).returncode


def _wait_for(host: str, port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        with socket.socket() as connection:
            if connection.connect_ex((host, port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{server.args!r} does not listen on port {port}; run again with VERBOSE=1 to see why")
