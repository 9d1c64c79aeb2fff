"""Everything a stack needs, on this machine: the engine, the Lambda API and the handlers."""

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import boto3
from botocore.config import Config
from ports import HOST, reserved_port
from surroundings import FUNCTION, REGION, ROOT, TOOLS, built_binary, function, running

EXAMPLES = ROOT / "examples"
# The one that registration.yml makes.
LOG_GROUP = "/cloudformation/Acme-IAM-AccessKey"


@contextlib.contextmanager
def engine(lambda_url: str, port: int, log: Path, *options: str) -> Iterator[None]:
    """Run the engine at a port until the caller is done."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "dev")}
    command = [sys.executable, "-m", "engine", "--moto-port", str(port), "--lambda-url", lambda_url, *options]
    with running(command, port, environment, log=log):
        yield


class Call(NamedTuple):
    """What a handler called, when which user had which keys."""

    operation: str
    keys: Mapping[str, Sequence[str]]


class Failed(Exception):
    """The AWS CLI ended with an exit code other than 0."""


class Lab:
    """The engine and what can be done with it."""

    def __init__(self, port: int, log: Path, lambda_url: str) -> None:
        """Talks to the engine at `port`."""
        self.endpoint = f"http://{HOST}:{port}"
        self.log, self.lambda_url = log, lambda_url
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
        values = {"imported-key": stack, "examples/import.yml": str(template), "alice": user, "AKIA...": key}
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

    def calls(self) -> list[Call]:
        """What the handlers have called, for stacks, since the last `forget_calls`, in order."""
        return [Call(**call) for call in self._ask("GET", "/engine/calls")]

    def forget_calls(self) -> None:
        """Begins anew."""
        self._ask("DELETE", "/engine/calls")

    def deny(self, *operations: str, times: int = 1) -> None:
        """Denies the next calls of each of these operations, and no other any more."""
        self._ask("PUT", "/engine/denials", dict.fromkeys(operations, times))

    def set_rollbacks(self, *, failed_as_previous: bool = True, marked: bool = False) -> None:
        """What is undocumented of what the rollback of an UPDATE sends."""
        self._ask("PUT", "/engine/rollbacks", {"failed_as_previous": failed_as_previous, "marked": marked})

    def age(self) -> None:
        """Makes all users and keys an hour older, so that the handlers do not wait to see more of them."""
        self._ask("PUT", "/engine/age")

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.endpoint + path, json.dumps(body).encode(), headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def handle(self, action: str, properties: Mapping[str, Any], previous: Mapping[str, Any] | None = None) -> Any:
        """Sends the handlers a request of its own, behind the engine's back."""
        credentials = {"accessKeyId": "local", "secretAccessKey": "local"}
        data = {"callerCredentials": credentials, "resourceProperties": properties}
        data |= {} if previous is None else {"previousResourceProperties": previous}
        request = {"action": action, "region": REGION, "requestData": data}
        with urllib.request.urlopen(self.lambda_url, json.dumps(request).encode(), timeout=60) as answer:
            return json.load(answer)


@contextlib.contextmanager
def laboratory(logs: Path, *type_names: str, configuration: Mapping[str, Any] | None = None) -> Iterator[Lab]:
    """The engine with the built handlers behind it, under these type names; by default also Amazon's own."""
    options = [f"--type={name}" for name in type_names or ("AWS::IAM::AccessKey", "Acme::IAM::AccessKey")]
    options += [f"--type-configuration={json.dumps(configuration)}"] if configuration else []
    with reserved_port() as aws_port, function(built_binary(), aws_port) as api:
        url = f"http://{HOST}:{api}/2015-03-31/functions/{FUNCTION}/invocations"
        with engine(url, aws_port, logs / "engine.log", *options, "--log-group", LOG_GROUP):
            yield Lab(aws_port, logs / "engine.log", url)
