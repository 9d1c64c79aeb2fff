"""Everything a stack needs, on this machine: the engine, the Lambda API, the handlers, and a watch on their calls."""

import contextlib
import http.client
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import boto3
from botocore.config import Config
from surroundings import FUNCTION, HOST, REGION, ROOT, TOOLS, function, reserved_port, running

EXAMPLES = ROOT / "examples"
# The one that registration.yml makes.
LOG_GROUP = "/cloudformation/Acme-IAM-AccessKey"

# How Secrets Manager and how IAM say no.
JSON_DENIAL = b'{"__type": "AccessDeniedException", "Message": "the test says no"}'
XML_DENIAL = (
    b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>the test says no</Message></Error></ErrorResponse>"
)


@contextlib.contextmanager
def engine(lambda_url: str, log: Path, *options: str) -> Iterator[int]:
    """Run the engine until the caller is done, and yield its port."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "dev")}
    with reserved_port() as port:
        command = [sys.executable, "-m", "engine", "--moto-port", str(port), "--lambda-url", lambda_url, *options]
        with running(command, port, environment, log=log):
            yield port


class Server(ThreadingHTTPServer):
    """An HTTP server that does not mind a client that has ended."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says what went wrong, unless it is that: the function is stopped while its connections are open."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[ThreadingHTTPServer]:
    """An HTTP server of this process on a free port."""
    server = Server((HOST, 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class JsonServer(BaseHTTPRequestHandler):
    """What the servers of the watch and of the tests have in common."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def body(self) -> bytes:
        """The request's body."""
        return self.rfile.read(int(self.headers["Content-Length"] or 0))

    def answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Sends a whole answer."""
        self.send_response(status)
        for name, value in (headers or {"Content-Type": "application/json"}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


class Watch:
    """What stands between the handlers and AWS: it sees every call, in order, and can look around before one."""

    def __init__(self) -> None:
        """Sees nothing yet."""
        self.upstream = 0
        self.calls: list[str] = []
        self.before: dict[str, Callable[[str], None]] = {}
        self.failing: dict[str, int] = {}

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """The server side of it."""
        watch = self

        class Handler(JsonServer):
            def do_POST(self) -> None:
                body = self.body()
                target = self.headers.get("X-Amz-Target", "")
                # CloudWatch's calls are CBOR, and name the operation at the end of their path.
                text = body.decode(errors="replace")
                named = target.rpartition(".")[2] or self.path.rpartition("/")[2]
                operation = named or parse_qs(text).get("Action", [""])[0]
                watch.calls.append(operation)
                if operation in watch.before:
                    watch.before[operation](text)
                if watch.failing.get(operation, 0) > 0:
                    watch.failing[operation] -= 1
                    self.answer(403, JSON_DENIAL if target else XML_DENIAL)
                    return
                upstream = http.client.HTTPConnection(HOST, watch.upstream, timeout=60)
                with contextlib.closing(upstream):
                    headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                    upstream.request("POST", self.path, body, headers)
                    answer = upstream.getresponse()
                    passed = ("content-type", "smithy-protocol", "x-amzn-requestid")
                    told = {name: value for name, value in answer.headers.items() if name.lower() in passed}
                    self.answer(answer.status, answer.read(), told)

        return Handler


class Failed(Exception):
    """The AWS CLI ended with an exit code other than 0."""


class Lab:
    """The engine and what can be done with it."""

    def __init__(self, port: int, log: Path, lambda_url: str, watch: Watch) -> None:
        """Talks to the engine at `port`."""
        self.endpoint = f"http://{HOST}:{port}"
        self.log, self.lambda_url, self.watch = log, lambda_url, watch
        self.cloudformation, self.iam, self.secrets, self.ssm, self.ecs, self.logs = map(
            self.client, ("cloudformation", "iam", "secretsmanager", "ssm", "ecs", "logs")
        )

    def client(self, service: str) -> Any:
        """A client of an AWS service that asks the engine."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(read_timeout=100, retries={"total_max_attempts": 1}),
        )

    def deploy(self, stack: str, template: Path, *options: str, **parameters: object) -> dict[str, str]:
        """Runs `aws cloudformation deploy`, and returns the stack's outputs."""
        overrides = [f"{name}={value}" for name, value in parameters.items()]
        command = ["cloudformation", "deploy", "--stack-name", stack, "--template-file", str(template)]
        command += ["--no-fail-on-empty-changeset", "--capabilities", "CAPABILITY_IAM"]
        command += ["--parameter-overrides", *overrides] if overrides else []
        self.command_line(*command, *options)
        return self.outputs(stack)

    def import_key(self, stack: str, template: Path, user: str, key: str) -> str:
        """Imports a key by the commands in the import example's header, and returns the status the stack ends in."""
        header = (EXAMPLES / "import.yml").read_text().replace("\\\n#", "")
        values = {"imported-key": stack, "import.yml": str(template), "alice": user, "AKIA...": key}
        for command in re.findall(r"^#   aws (.+)", header, re.MULTILINE):
            words = shlex.split(command)
            for example, value in values.items():
                words = [word.replace(example, value) for word in words]
            self.command_line(*words)
        return str(self.stack(stack)["StackStatus"])

    def command_line(self, *words: str) -> str:
        """Runs the AWS CLI in the repository, and returns what it prints."""
        command = [str(TOOLS / "aws"), *words, "--endpoint-url", self.endpoint]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
        if done.returncode:
            raise Failed(done.stdout + done.stderr)
        return done.stdout

    def stack(self, name: str) -> dict[str, Any]:
        """The stack as DescribeStacks has it."""
        stack: dict[str, Any] = self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return stack

    def outputs(self, name: str) -> dict[str, str]:
        """The stack's outputs."""
        return {output["OutputKey"]: output["OutputValue"] for output in self.stack(name).get("Outputs", [])}

    def resource(self, stack: str, logical_id: str) -> str:
        """The physical id of a stack's resource."""
        answer = self.cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
        return str(answer["StackResourceDetail"]["PhysicalResourceId"])

    def events(self, stack: str) -> list[tuple[str, str, str]]:
        """The stack's events, oldest first: logical id, status, reason."""
        events = self.cloudformation.describe_stack_events(StackName=stack)["StackEvents"][::-1]
        return [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason", "")) for e in events]

    def reasons(self, stack: str, status: str) -> dict[str, str]:
        """Why resources have come to a status, the latest reason each."""
        return {logical_id: reason for logical_id, found, reason in self.events(stack) if found == status}

    def delete(self, stack: str) -> str:
        """Deletes a stack and returns the status it ends in."""
        arn = self.stack(stack)["StackId"]
        self.cloudformation.delete_stack(StackName=stack)
        return str(self.stack(arn)["StackStatus"])

    def keys(self, user: str) -> dict[str, str]:
        """The user's keys, each with its status."""
        keys = self.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
        return {key["AccessKeyId"]: key["Status"] for key in keys}

    def users(self) -> set[str]:
        """The users of the account."""
        return {user["UserName"] for user in self.iam.list_users()["Users"]}

    def readable(self, role: str) -> str:
        """The ARN that a role's only policy allows to read."""
        [policy] = self.iam.list_role_policies(RoleName=role)["PolicyNames"]
        document = self.iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        return str(document["Statement"][0]["Resource"])

    def stored(self, arn: str) -> Mapping[str, Any]:
        """The value of a stored secret."""
        value: Mapping[str, Any] = json.loads(self.secrets.get_secret_value(SecretId=arn)["SecretString"])
        return value

    def secret_of(self, key: str) -> str | None:
        """The ARN of the secret that is kept for a key, if one is."""
        pages = self.secrets.get_paginator("list_secrets").paginate()
        return next((str(each["ARN"]) for page in pages for each in page["SecretList"] if key in each["Name"]), None)

    def lines(self, stack: str) -> list[dict[str, Any]]:
        """What the handlers logged of a stack's resources, in order."""
        pages = self.logs.get_paginator("filter_log_events").paginate(logGroupName=LOG_GROUP)
        events = [event for page in pages for event in page["events"] if f"stack/{stack}/" in event["logStreamName"]]
        return [json.loads(event["message"]) for event in sorted(events, key=lambda event: int(event["timestamp"]))]

    def handle(self, action: str, properties: Mapping[str, Any]) -> Any:
        """Sends the handlers a request of its own, behind the engine's back."""
        credentials = {"accessKeyId": "local", "secretAccessKey": "local"}
        data = {"callerCredentials": credentials, "resourceProperties": properties}
        request = {"action": action, "region": REGION, "requestData": data}
        with urllib.request.urlopen(self.lambda_url, json.dumps(request).encode(), timeout=60) as answer:
            return json.load(answer)


@contextlib.contextmanager
def laboratory(logs: Path, *type_names: str) -> Iterator[Lab]:
    """The engine with the built handlers behind it, under these type names; by default also Amazon's own."""
    binary = Path(os.environ.get("IAM_ACCESS_KEY_BINARY", ROOT / "target/debug" / FUNCTION))
    assert binary.exists(), f"{binary} is missing: run `cargo build`, or set IAM_ACCESS_KEY_BINARY"
    watch = Watch()
    names = [f"--type={name}" for name in type_names or ("AWS::IAM::AccessKey", "Acme::IAM::AccessKey")]
    with serving(watch.handler()) as front, function(binary, front.server_port) as api:
        url = f"http://{HOST}:{api}/2015-03-31/functions/{FUNCTION}/invocations"
        with engine(url, logs / "engine.log", *names, "--log-group", LOG_GROUP) as port:
            watch.upstream = port
            yield Lab(port, logs / "engine.log", url, watch)
