"""`make sam`: the release binary in a Lambda container, invoked by `sam local`, and under the CLI's contract suite."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from cfn_engine.aws import REGION, isolate
from checkout import FUNCTION, ROOT, masked
from contract import contract_suite
from local_aws import aws
from ports import HOST
from processes import running, serving, stop_on_signals
from projects import PROJECTS, create_users
from sam_events import sam_events

SAM_LOCAL = [str(ROOT / ".venv/sam/bin/sam"), "local"]
BASE_IMAGE = "public.ecr.aws/lambda/provided:al2023-x86_64"
# What `sam` makes of the base image.
SAM_IMAGE = "public.ecr.aws/lambda/provided:al2023-rapid-x86_64"
# On a stand-in for the base image, and so on what `sam` makes of it.
STAND_IN_LABEL = "iam-access-key.stand-in"
# All that `sam` and the function need of the base image: a shell, two tools, the C library and the unwinder, and the
# certificate authorities, without which the AWS SDK makes no client.
STAND_IN_PROGRAMS = ("sh", "mv", "chmod")
STAND_IN_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
STAND_IN_LIBRARIES = ("libc.so.6", "libgcc_s.so.1", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1")

CANNOT_RUN_STATUS = 3
# With its proxies: a Docker engine pulls images through them.
CALLERS_ENVIRONMENT = dict(os.environ)


class CannotRunError(Exception):
    """This machine lacks something that only its owner can give."""


@contextmanager
def engine() -> Iterator[dict[str, str]]:
    """Find a Docker engine, or run one until the caller is done, and yield the environment that leads to it."""
    if not shutil.which("docker"):
        raise CannotRunError("there is no docker: install Docker (on Debian, apt-get install docker.io)")
    if docker("info", check=False).returncode == 0:
        yield {}
        return
    if not shutil.which("dockerd"):
        raise CannotRunError("no Docker engine runs, and none is installed (on Debian, apt-get install docker.io)")
    if os.geteuid() != 0:
        raise CannotRunError("no Docker engine runs, and only root can start one")
    with TemporaryDirectory() as home:
        env = {"DOCKER_HOST": f"unix://{home}/socket"}
        command = ["dockerd", "--host", env["DOCKER_HOST"], "--data-root", f"{home}/data"]
        command += ["--exec-root", f"{home}/exec", "--pidfile", f"{home}/pid"]
        log = Path(home, "log")
        with running(command, env=CALLERS_ENVIRONMENT, log=log, patience=None) as dockerd:
            deadline = time.monotonic() + 60
            while docker("info", env=env, check=False).returncode != 0:
                if dockerd.poll() is not None or time.monotonic() > deadline:
                    said = log.read_text().strip().splitlines() or ["it said nothing"]
                    raise CannotRunError(f"a Docker engine cannot be started here: {said[-1]}")
                time.sleep(0.5)
            yield env


@contextmanager
def base_image(env: Mapping[str, str], stand_in: bool) -> Iterator[str]:
    """Have Lambda's base image, or a stand-in under its name until the caller is done, and yield which."""
    # A run that was killed has left its own.
    remove_stand_ins(env)
    here = docker("image", "inspect", BASE_IMAGE, env=env, check=False).returncode == 0
    if not here and not stand_in:
        necessary("pull", "--quiet", BASE_IMAGE, env=env, remedy="Or do without it: make sam STAND_IN=1")
    if here or not stand_in:
        yield "Lambda's own"
        return
    label = ["--change", f"LABEL {STAND_IN_LABEL}=true"]
    docker("import", *label, "-", BASE_IMAGE, env=env, stdin=stand_in_files())
    try:
        yield "a stand-in: this machine's C library, under the name of Lambda's own, which is not on this machine"
    finally:
        remove_stand_ins(env)


def remove_stand_ins(env: Mapping[str, str]) -> None:
    """Remove the images that are a stand-in, or made of one."""
    for image in (SAM_IMAGE, BASE_IMAGE):
        inspected = docker("image", "inspect", image, env=env, check=False)
        found = json.loads(inspected.stdout) if inspected.returncode == 0 else []
        if any(STAND_IN_LABEL in (each["Config"].get("Labels") or {}) for each in found):
            docker("image", "rm", "--force", image, env=env, check=False)


@contextmanager
def container_network(env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Make a network of containers, and yield its name and the address that this machine has in it."""
    name = f"sam-{os.getpid()}"
    # An engine that runs may still be kept from either, as inside a container.
    necessary("network", "create", name, env=env)
    try:
        necessary("run", "--rm", "--network", name, "--entrypoint", "sh", BASE_IMAGE, "-c", ":", env=env)
        gateway = docker("network", "inspect", name, "--format", "{{(index .IPAM.Config 0).Gateway}}", env=env)
        yield name, gateway.stdout.decode().strip()
    finally:
        docker("network", "rm", name, env=env, check=False)


def stand_in_files() -> bytes:
    """Return a tar of the few files of this machine that a Lambda container cannot do without."""
    programs = [Path(shutil.which(program) or program) for program in STAND_IN_PROGRAMS]
    libraries = {path for program in programs for path in shared_libraries(program)}
    folder = next(path for path in libraries if path.name == "libc.so.6").parent
    libraries |= {folder / name for name in STAND_IN_LIBRARIES}
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as files:
        for path in programs:
            add(files, path, f"bin/{path.name}")
        for path in sorted({*libraries, STAND_IN_AUTHORITIES}):
            add(files, path, str(path).lstrip("/"))
        for name in ("tmp", "var/task", "var/runtime", "opt"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
            files.addfile(entry)
    return tar.getvalue()


def shared_libraries(program: Path) -> set[Path]:
    """Return what the dynamic loader loads for a program, the loader included."""
    lines = subprocess.run(["ldd", program], check=True, capture_output=True, encoding="utf-8").stdout.splitlines()
    return {Path(word) for line in lines for word in line.split() if word.startswith("/")}


def add(files: tarfile.TarFile, path: Path, name: str) -> None:
    """Add the file that a path leads to, through every link."""
    if path.exists():
        files.add(path.resolve(), name)


def docker(
    *arguments: str, env: Mapping[str, str] | None = None, check: bool = True, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run docker against the engine that `env` leads to."""
    return subprocess.run(
        ["docker", *arguments],
        env={**os.environ, **(env or {})},
        input=stdin,
        capture_output=True,
        check=check,
        timeout=300,
    )


def necessary(*arguments: str, env: Mapping[str, str], remedy: str = "") -> None:
    """Run docker; raise CannotRunError, with what it says and what to do, when it cannot do it, or not in time."""
    try:
        docker(*arguments, env=env)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = (error.stderr or b"It said nothing.").decode(errors="replace")
        raise CannotRunError("\n".join([str(error), said.strip(), remedy]).strip()) from error


def template(folder: Path, aws_endpoint: str) -> Path:
    """Write template.yml again, with the function led to the AWS of this machine."""
    document = yaml.safe_load((ROOT / "template.yml").read_text())
    function = document["Globals"]["Function"]
    function["CodeUri"] = str(ROOT / function["CodeUri"])
    function["Environment"] = {"Variables": {"AWS_ENDPOINT_URL": aws_endpoint}}
    path = folder / "template.json"
    path.write_text(json.dumps(document))
    return path


def invoke(settings: list[str], env: Mapping[str, str], event: Mapping[str, Any]) -> Any:
    """Send an event through `sam local invoke TestEntrypoint`, tell what came of it, and return the answer."""
    command = [*SAM_LOCAL, "invoke", "TestEntrypoint", *settings, "--event", "-"]
    run = subprocess.run(command, env=env, input=json.dumps(event), capture_output=True, encoding="utf-8", timeout=300)
    if run.returncode != 0:
        raise RuntimeError(f"sam local invoke failed:\n{run.stderr}")
    answer = json.loads(run.stdout.strip().splitlines()[-1])
    shown = masked(answer.get("resourceModel", {}))
    told = json.dumps(shown or answer["resourceModels"]) if shown or "resourceModels" in answer else ""
    print(f"{event['action']:<6} {answer['status']} {answer.get('errorCode', '')} {told}")
    if answer["status"] != "SUCCESS":
        raise RuntimeError(f"{event['action']} failed: {answer.get('message')}\n{run.stderr}")
    return answer


def run(stand_in: bool) -> int:
    """Do all of it and return what the contract suite came to."""
    with ExitStack() as stack:
        engine_env = stack.enter_context(engine())
        image = stack.enter_context(base_image(engine_env, stand_in))
        print(f"== base image: {image}")
        network, gateway = stack.enter_context(container_network(engine_env))
        aws_endpoint = stack.enter_context(aws(gateway))
        create_users(aws_endpoint)
        folder = Path(stack.enter_context(TemporaryDirectory()))
        env = {**os.environ, **engine_env, "SAM_CLI_TELEMETRY": "0", "HOME": str(folder)}
        common = ["--template", str(template(folder, aws_endpoint))]
        common += ["--region", REGION, "--skip-pull-image", "--docker-network", network]

        print("== sam local invoke TestEntrypoint, with the events in sam-tests/", flush=True)
        sam_events(lambda event: invoke(common, env, event))

        print("== sam local start-lambda, and the contract suite against it", flush=True)
        start = [*SAM_LOCAL, "start-lambda", *common, "--host", HOST, "--port", "PORT", "--warm-containers", "LAZY"]
        # An interrupt lets it remove its containers.
        api = stack.enter_context(serving(start, env=env, stop=signal.SIGINT))
        return contract_suite(PROJECTS[FUNCTION], api, "TypeFunction")


def main() -> int:
    """Run it, or say why it cannot run here, with an exit status of its own."""
    isolate()
    stop_on_signals()
    try:
        return run(stand_in="--stand-in" in sys.argv)
    except CannotRunError as reason:
        print(f"NOT RUN: sam local invoke, sam local start-lambda and the contract suite in a container: {reason}")
        return CANNOT_RUN_STATUS


if __name__ == "__main__":
    sys.exit(main())
