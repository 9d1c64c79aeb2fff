"""Every call to AWS that `cargo test` recorded, before those who know AWS better.

botocore's models say whether AWS would take it, a simulator of IAM with AWS's own authorization data whether the roles
allow it. moto looks at neither.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import botocore.session
import pytest
from botocore.model import ListShape, Shape, StructureShape
from botocore.validate import ParamValidator
from checkout import ROOT, SCHEMA
from roles import KMS_KEY, LOG_GROUP, PARAMETERS, policy
from schema_rules import read

RECORDED = ROOT / "target/tmp/aws-calls"
SIMULATOR = ROOT / "dev/policy_simulator/simulate.mjs"
NODE = ROOT / ".venv/cdk/bin/node"

ACCOUNT = "arn:aws:iam::123456789012:"
# What a secret's name ends with: a key's id, or the name of a record. The prefix stands before it.
OWN_NAME = re.compile(r"(?:[A-Z0-9_]{16,}|operation-[0-9a-f]{64}\.\d+)$")
# As botocore calls the services, by the names that requests are signed for.
MODELS = {"iam": "iam", "secretsmanager": "secretsmanager", "logs": "logs", "monitoring": "cloudwatch"}
SESSION = botocore.session.get_session()


@dataclass(frozen=True)
class Call:
    """A call to AWS, and the action of the handler that made it."""

    handler: str
    service: str
    operation: str
    input: dict[str, Any]

    @property
    def shape(self) -> StructureShape:
        """What AWS takes."""
        model = SESSION.get_service_model(MODELS[self.service])
        shape = model.operation_model(self.operation).input_shape
        assert isinstance(shape, StructureShape)
        return shape


@dataclass(frozen=True)
class Need:
    """What IAM is asked when a call is made: an action, on a resource, with the keys that conditions look at."""

    action: str
    resource: str
    context: str = "{}"


def call(line: dict[str, Any]) -> Call:
    """Read a recorded call in the protocol of its service."""
    service, target = line["service"], line["target"]
    if service == "iam":
        fields = dict(parse_qsl(line["body"], keep_blank_values=True))
        operation = fields.pop("Action")
        assert fields.pop("Version") == SESSION.get_service_model("iam").api_version
        made = Call(line["handler"], service, operation, {})
        return Call(line["handler"], service, operation, from_form(fields, made.shape))
    operation = target.rsplit(".", 1)[1] if target else line["path"].rsplit("/", 1)[1]
    return Call(line["handler"], service, operation, json.loads(line["body"]))


def from_form(fields: dict[str, str], shape: Shape, prefix: str = "") -> Any:
    """Turn fields such as `Tags.member.1.Key` into what the shape says; an unknown one is kept, and refused later."""
    if isinstance(shape, StructureShape):
        names = {name.removeprefix(prefix).split(".")[0] for name in fields if name.startswith(prefix)}
        members = shape.members
        return {name: from_form(fields, members[name], f"{prefix}{name}.") if name in members else "" for name in names}
    if isinstance(shape, ListShape):
        start = f"{prefix}member."
        numbers = {int(name.removeprefix(start).split(".")[0]) for name in fields if name.startswith(start)}
        assert numbers == set(range(1, len(numbers) + 1)), fields
        return [from_form(fields, shape.member, f"{start}{number}.") for number in sorted(numbers)]
    text = fields[prefix.rstrip(".")]
    return int(text) if shape.type_name in ("integer", "long") else text


def breaches(value: Any, shape: Shape, place: str) -> Iterator[str]:
    """What botocore leaves to AWS: unknown members, patterns, lengths, enumerations."""
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            if name in shape.members:
                yield from breaches(member, shape.members[name], f"{place}.{name}")
            else:
                yield f"{place} has no member {name}"
    elif isinstance(shape, ListShape):
        for each in value:
            yield from breaches(each, shape.member, place)
    elif shape.type_name == "string":
        metadata = shape.metadata
        # Java's classes of characters: what is asked of tags by pattern, IAM's page says in words.
        pattern = metadata.get("pattern", "").replace(r"\p{L}\p{Z}\p{N}", r"\w\s")
        if pattern and not re.fullmatch(pattern, value):
            yield f"{place} does not match {pattern}"
        if len(value) > metadata.get("max", len(value)):
            yield f"{place} is longer than {metadata['max']}"
        if shape.enum and value not in shape.enum:
            yield f"{place} is none of {shape.enum}"


def needs(call: Call, user_path: str, prefix: str) -> Iterator[Need]:
    """What a call needs, where users are under this path, and secrets have this prefix."""
    given = call.input
    if call.service == "iam":
        # The user of the key, who may be anybody's, and of whom the call knows nothing.
        user = f"{ACCOUNT}user{user_path}{given.get('UserName', 'somebody')}"
        keys = given.get("TagKeys") or [tag["Key"] for tag in given.get("Tags", [])]
        context = {"aws:TagKeys": keys} if keys else {}
        yield Need(f"iam:{call.operation}", "*" if call.operation == "ListUsers" else user, json.dumps(context))
    elif call.service == "secretsmanager":
        # An ARN ends with a hyphen and six characters of Secrets Manager's own.
        name = re.sub(r"^arn:.*:secret:(.*)-\w{6}$", r"\1", given.get("Name") or given["SecretId"])
        own = OWN_NAME.search(name)
        assert own, name
        secret = f"arn:aws:secretsmanager:us-east-1:123456789012:secret:{prefix}{own[0]}-AbCdEf"
        yield Need(f"secretsmanager:{call.operation}", secret)
        if call.operation == "CreateSecret" and given.get("Tags"):
            yield Need("secretsmanager:TagResource", secret)
    elif call.service == "logs":
        group = LOG_GROUP.removesuffix(":*")
        stream = f"{group}:log-stream:{given.get('logStreamName')}"
        yield Need(f"logs:{call.operation}", stream if call.operation == "PutLogEvents" else LOG_GROUP)
    else:
        yield Need("cloudwatch:PutMetricData", "*", json.dumps({"cloudwatch:namespace": given["Namespace"]}))


def undecided(by: dict[str, Any], asked: set[Need], decision: str) -> list[tuple[Need, str]]:
    """The needs that IAM decides otherwise: `Allowed`, `ImplicitlyDenied`, or why the question is none."""
    ordered = sorted(asked, key=str)
    simulations = [
        {"policy": by, "action": need.action, "resource": need.resource, "context": json.loads(need.context)}
        for need in ordered
    ]
    run = subprocess.run([NODE, SIMULATOR], input=json.dumps(simulations), capture_output=True, text=True, check=True)
    answers = json.loads(run.stdout)
    return [(need, answer) for need, answer in zip(ordered, answers, strict=True) if answer != decision]


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    """Every call that differs from the others."""
    lines = {line for path in RECORDED.glob("*.jsonl") for line in path.read_text().splitlines()}
    assert len(lines) > 500, f"{RECORDED} has {len(lines)} calls: run `cargo test` first"
    return [call(json.loads(line)) for line in sorted(lines)]


def of_handlers(calls: list[Call]) -> list[Call]:
    return [call for call in calls if call.service in ("iam", "secretsmanager")]


def all_needs(calls: list[Call], user_path: str, prefix: str) -> set[Need]:
    return {need for call in calls for need in needs(call, user_path, prefix)}


def test_aws_would_take_every_call(calls: list[Call]) -> None:
    for call in calls:
        problems = ParamValidator().validate(call.input, call.shape)
        assert not problems.has_errors(), (call.operation, problems.generate_report())
        assert list(breaches(call.input, call.shape, call.operation)) == []


@pytest.mark.parametrize(
    ("template", "user_path", "prefix"),
    [
        ("registration.yml", PARAMETERS["IamUserPath"], PARAMETERS["SecretNamePrefix"]),
        ("resource-role.yaml", "/any/", "any/"),
    ],
)
def test_the_execution_role_allows_every_call_and_each_of_its_actions_is_called(
    template: str, user_path: str, prefix: str, calls: list[Call]
) -> None:
    role = policy(template, "ExecutionRole")
    asked = all_needs(of_handlers(calls), user_path, prefix)
    assert undecided(role, asked, "Allowed") == []
    # Secrets Manager uses the key in the caller's name.
    via = json.dumps({"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"})
    kms = {Need(f"kms:{name}", KMS_KEY, via) for name in ("Decrypt", "Encrypt", "GenerateDataKey")}
    assert undecided(role, kms, "Allowed") == []
    allowed = {action for statement in role["Statement"] for action in statement["Action"]}
    assert allowed == {need.action for need in asked | kms}


def test_registration_limits_the_execution_role_to_its_users_and_its_secrets(calls: list[Call]) -> None:
    role = policy("registration.yml", "ExecutionRole")
    # These tell names and dates of anybody: the template says why.
    of_anybody = {"iam:GetAccessKeyLastUsed", "iam:GetUser", "iam:ListUsers"}
    for user_path, prefix in [("/people/", "others/"), ("/", "teams/payments-of-others/")]:
        asked = all_needs(of_handlers(calls), user_path, prefix)
        refused = {need for need in asked if need.action not in of_anybody}
        assert undecided(role, refused, "ImplicitlyDenied") == []


def test_registration_lets_the_role_touch_no_tag_but_a_keys_description() -> None:
    role = policy("registration.yml", "ExecutionRole")
    user = f"{ACCOUNT}user{PARAMETERS['IamUserPath']}alice"
    for keys, decision in [
        (["AKIAIOSFODNN7EXAMPLE"], "Allowed"),
        (["team"], "ImplicitlyDenied"),
        (["AKIAIOSFODNN7EXAMPLE", "team"], "ImplicitlyDenied"),
    ]:
        asked = {Need(f"iam:{name}", user, json.dumps({"aws:TagKeys": keys})) for name in ("TagUser", "UntagUser")}
        assert undecided(role, asked, decision) == []


def test_the_schema_grants_each_handler_what_it_calls(calls: list[Call]) -> None:
    for name, handler in read(SCHEMA)["handlers"].items():
        granted = {"Effect": "Allow", "Action": handler["permissions"], "Resource": "*"}
        asked = all_needs([call for call in of_handlers(calls) if call.handler == name.upper()], "/", "any/")
        assert asked, name
        assert undecided({"Version": "2012-10-17", "Statement": [granted]}, asked, "Allowed") == [], name


def test_the_logging_role_allows_every_delivery(calls: list[Call]) -> None:
    deliveries = [call for call in calls if call.service in ("logs", "monitoring")]
    asked = all_needs(deliveries, "/", "any/")
    assert {need.action.split(":")[0] for need in asked} == {"logs", "cloudwatch"}
    assert undecided(policy("registration.yml", "LoggingRole"), asked, "Allowed") == []
