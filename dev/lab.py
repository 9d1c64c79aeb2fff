"""Everything a stack needs, on this machine: the engine, the Lambda API and the handlers."""

import contextlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cfn_engine.aws import REGION
from cfn_engine.client import Engine
from cfn_engine.handlers import invoke
from checkout import ROOT, SCHEMA, TOOLS, built_binary
from local_aws import function, invocations
from ports import HOST, reserved_port
from processes import running

EXAMPLES = ROOT / "examples"
# The one that registration.yml makes.
LOG_GROUP = "/cloudformation/Acme-IAM-AccessKey"


def edited(template: Path, directory: Path, old: str, new: str) -> Path:
    """The template as somebody edited it."""
    text = template.read_text()
    assert old in text
    copy = directory / template.name
    copy.write_text(text.replace(old, new, 1))
    return copy


def breaking(template: Path, directory: Path, after: str) -> Path:
    """The template with a resource that cannot be made, which comes after others."""
    broken = f"  Broken:\n    Type: Acme::No::Type\n    DependsOn: {after}\nOutputs:\n"
    return edited(template, directory, "Outputs:\n", broken)


class Failed(Exception):
    """The AWS CLI ended with an exit code other than 0."""


class Lab(Engine):
    """The engine with the built handlers, and what can be done with it."""

    def __init__(self, endpoint: str, log: Path, lambda_url: str) -> None:
        """Talks to the engine at an endpoint."""
        super().__init__(endpoint)
        self.log, self.lambda_url = log, lambda_url
        self.iam, self.ecs, self.logs = map(self.client, ("iam", "ecs", "logs"))

    def deploy(self, stack: str, template: Path, *options: str, **parameters: object) -> dict[str, str]:
        """Runs `aws cloudformation deploy`, and returns the stack's outputs."""
        overrides = [f"{name}={value}" for name, value in parameters.items()]
        command = ["cloudformation", "deploy", "--stack-name", stack, "--template-file", str(template)]
        command += ["--no-fail-on-empty-changeset", "--capabilities", "CAPABILITY_IAM"]
        command += ["--parameter-overrides", *overrides] if overrides else []
        self.command_line(*command, *options)
        return self.outputs(stack)

    def fails(self, stack: str, template: Path, *options: str, **parameters: object) -> str:
        """Deploys what cannot be deployed, and returns the status that the stack ends in."""
        with contextlib.suppress(Failed):
            raise AssertionError(f"it was deployed: {self.deploy(stack, template, *options, **parameters)}")
        return str(self.stack(stack)["StackStatus"])

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

    def handle(self, action: str, properties: Mapping[str, Any], previous: Mapping[str, Any] | None = None) -> Any:
        """Sends the handlers a request of its own, behind the engine's back."""
        credentials = {"accessKeyId": "local", "secretAccessKey": "local"}
        data = {"callerCredentials": credentials, "resourceProperties": properties}
        data |= {} if previous is None else {"previousResourceProperties": previous}
        return invoke(self.lambda_url, {"action": action, "region": REGION, "requestData": data})


@contextlib.contextmanager
def laboratory(logs: Path, *type_names: str, configuration: Mapping[str, Any] | None = None) -> Iterator[Lab]:
    """The engine with the built handlers behind it, under these type names; by default also Amazon's own."""
    command = [sys.executable, "-m", "cfn_engine", "--schema", str(SCHEMA), "--log-group", LOG_GROUP]
    command += [f"--type={name}" for name in type_names or ("AWS::IAM::AccessKey", "Acme::IAM::AccessKey")]
    command += [f"--type-configuration={json.dumps(configuration)}"] if configuration else []
    with reserved_port() as port, function(built_binary(), endpoint := f"http://{HOST}:{port}") as api:
        url, log = invocations(api), logs / "engine.log"
        with running([*command, "--lambda-url", url, "--port", str(port)], port, log=log):
            yield Lab(endpoint, log, url)
