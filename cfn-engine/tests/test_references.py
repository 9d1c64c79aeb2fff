"""Dynamic references: what resolves them, when, and that the value is shown nowhere."""

import json
from typing import Any

import pytest
from cfn_engine.client import Engine
from things import Things, ThingStack, thing

VALUE, LATER = "kwijibo-1", "kwijibo-2"


class Parameter:
    """A stack with one parameter of Parameter Store, whose value is a text with references."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine, self.name = engine, name

    def deploy(self, text: Any, **properties: str) -> str:
        """Creates or updates the stack, and returns the status it ends in."""
        shown = {"Name": f"/{self.name}", "Type": "String", "Value": text, **properties}
        resources = {"Shown": {"Type": "AWS::SSM::Parameter", "Properties": shown}}
        return self.engine.apply(self.name, {"Resources": resources, "Outputs": {"Text": {"Value": text}}})

    def value(self) -> str:
        """What the parameter has become."""
        return str(self.engine.ssm.get_parameter(Name=f"/{self.name}")["Parameter"]["Value"])

    def told(self) -> str:
        """All that CloudFormation says of the stack."""
        cloudformation, name = self.engine.cloudformation, self.name
        everything = [
            cloudformation.describe_stacks(StackName=name)["Stacks"],
            cloudformation.describe_stack_events(StackName=name)["StackEvents"],
            cloudformation.describe_stack_resources(StackName=name)["StackResources"],
            cloudformation.get_template(StackName=name)["TemplateBody"],
        ]
        return json.dumps(everything, default=str)


@pytest.fixture
def parameter(engine: Engine, name: str) -> Parameter:
    """A stack that is not there yet."""
    return Parameter(engine, name)


@pytest.fixture
def secret(engine: Engine, name: str) -> str:
    """The ARN of a secret with two versions."""
    arn = str(engine.secrets.create_secret(Name=f"team/{name}", SecretString=json.dumps({"old": "x"}))["ARN"])
    engine.secrets.put_secret_value(SecretId=arn, SecretString=json.dumps({"password": VALUE, "port": 587}))
    return arn


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{resolve:secretsmanager:NAME:SecretString:password}}", VALUE),
        ("{{resolve:secretsmanager:ARN:SecretString:password}}", VALUE),
        ("{{resolve:secretsmanager:ARN:SecretString:password::}}", VALUE),
        ("{{resolve:secretsmanager:ARN:SecretString:port}}", "587"),
        ("{{resolve:secretsmanager:ARN:SecretString:old:AWSPREVIOUS}}", "x"),
        ("{{resolve:secretsmanager:NAME}}", '{"password": "kwijibo-1", "port": 587}'),
        ('{"a": "{{resolve:secretsmanager:NAME:SecretString:port}}", "b": "{{resolve:ssm:/PARAMETER}}"}',
         '{"a": "587", "b": "newest"}'),
        ("{{resolve:ssm:/PARAMETER:1}}", "first"),
    ],
)  # fmt: skip
def test_a_reference_is_resolved_for_the_resource_and_shown_nowhere(
    engine: Engine, name: str, parameter: Parameter, secret: str, text: str, value: str
) -> None:
    for each in ("first", "newest"):
        engine.ssm.put_parameter(Name=f"/{name}-other", Type="String", Value=each, Overwrite=True)
    text = text.replace("NAME", f"team/{name}").replace("ARN", secret).replace("PARAMETER", f"{name}-other")
    assert parameter.deploy(text) == "CREATE_COMPLETE"
    assert parameter.value() == value
    assert engine.outputs(name) == {"Text": text}, "an output keeps its text"
    assert VALUE not in parameter.told()


def test_a_reference_is_resolved_again_only_when_its_resource_is_updated(
    engine: Engine, name: str, parameter: Parameter, secret: str
) -> None:
    text = "{{resolve:secretsmanager:ARN:SecretString:password}}".replace("ARN", secret)
    parameter.deploy(text)
    engine.secrets.put_secret_value(SecretId=secret, SecretString=json.dumps({"password": LATER}))
    with pytest.raises(engine.cloudformation.exceptions.ClientError, match="No updates are to be performed"):
        parameter.deploy(text)
    assert parameter.value() == VALUE
    assert parameter.deploy(text, Description="another property") == "UPDATE_COMPLETE"
    assert parameter.value() == LATER
    by_name = f"{{{{resolve:secretsmanager:team/{name}:SecretString:password}}}}"
    engine.secrets.put_secret_value(SecretId=secret, SecretString=json.dumps({"password": VALUE}))
    assert parameter.deploy(by_name, Description="another property") == "UPDATE_COMPLETE"
    assert parameter.value() == VALUE
    assert VALUE not in parameter.told() and LATER not in parameter.told()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{resolve:secretsmanager:nothing:SecretString:password}}", "Secrets Manager can't find the specified secret"),
        ("{{resolve:secretsmanager:ARN:SecretString:colour}}", "Could not find a value associated with JSONKey"),
        ("{{resolve:secretsmanager:TEXT:SecretString:colour}}", "Could not parse SecretString JSON"),
        ("{{resolve:ssm:/nothing}}", "cannot be found"),
        ("{{resolve:ssm:/SECURE}}", "is a SecureString"),
        ("{{resolve:ssm-secure:/SECURE:1}}", "SSM Secure reference is not supported"),
        ("{{resolve:vault:x}}", "Incorrect format"),
    ],
)
def test_an_unresolved_reference_fails_the_update_and_quotes_no_value(
    engine: Engine, name: str, parameter: Parameter, secret: str, text: str, reason: str
) -> None:
    engine.secrets.create_secret(Name=f"text/{name}", SecretString=VALUE)
    engine.ssm.put_parameter(Name=f"/{name}-secure", Type="SecureString", Value=VALUE)
    parameter.deploy("plain")
    text = text.replace("ARN", secret).replace("TEXT", f"text/{name}").replace("SECURE", f"{name}-secure")
    assert parameter.deploy(text) == "UPDATE_ROLLBACK_COMPLETE"
    assert reason in engine.reasons(name, "UPDATE_FAILED")["Shown"]
    assert parameter.value() == "plain"
    assert VALUE not in parameter.told()


def test_handlers_get_values_from_create_to_delete_and_those_who_ask_get_none(
    stack: ThingStack, things: Things, name: str
) -> None:
    stack.engine.ssm.put_parameter(Name=f"/{name}", Type="String", Value=VALUE)
    reference = f"{{{{resolve:ssm:/{name}}}}}"
    broken = {"Broken": {"Type": "Acme::No::Type", "DependsOn": "Thing"}}
    stack.apply({"Thing": thing(Name=reference, Size=1)})
    assert stack.apply({"Thing": thing(Name=reference, Size=2), **broken}) == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.apply({"Thing": thing(Name=reference, Size=2)}) == "UPDATE_COMPLETE"
    stack.engine.ssm.delete_parameter(Name=f"/{name}")
    assert stack.engine.delete(stack.name) == "DELETE_COMPLETE"
    writes = [request["requestData"] for request in things.requests if request["action"] != "READ"]
    assert [action for action, _ in things.story()] == ["CREATE", *["UPDATE"] * 3, "DELETE"]
    assert {data["resourceProperties"]["Name"] for data in writes} == {VALUE}
    assert {data["previousResourceProperties"]["Name"] for data in writes[1:4]} == {VALUE}
    assert things.things == {}
