"""Dynamic references in properties, as CloudFormation resolves them [user guide, "dynamic references"]."""

import json
import re
from typing import Any

from moto.cloudformation.exceptions import ValidationError
from moto.secretsmanager.exceptions import SecretsManagerClientError
from moto.secretsmanager.models import secretsmanager_backends
from moto.ssm.models import ssm_backends

REFERENCE = re.compile(r"\{\{resolve:([^:{}]+):([^{}]+)\}\}")
# The id is a name or, with its own colons, an ARN.
SECRET = re.compile(r"(arn(?::[^:]*){6}|[^:]+)(?::SecretString(?::([^:]*))?(?::([^:]*))?(?::([^:]*))?)?")
PARAMETER = re.compile(r"([\w.\-/]+)(?::(\d+))?")


def resolved(node: Any, account: str, region: str) -> Any:
    """A copy with each reference's value in its place, for whoever carries the operation out: it is shown nowhere."""
    if isinstance(node, dict):
        return {name: resolved(item, account, region) for name, item in node.items()}
    if isinstance(node, list):
        return [resolved(item, account, region) for item in node]
    if isinstance(node, str):
        return REFERENCE.sub(lambda found: value(found[0], found[1], found[2], account, region), node)
    return node


def value(reference: str, service: str, key: str, account: str, region: str) -> str:
    """What one reference stands for now."""
    if service == "secretsmanager" and (secret := SECRET.fullmatch(key)):
        return secret_value(secret[1], secret[2], secret[3], secret[4], account, region)
    if service == "ssm" and (parameter := PARAMETER.fullmatch(key)):
        return parameter_value(parameter[1], parameter[2], account, region)
    if service == "ssm-secure":
        raise ValidationError(message=f"SSM Secure reference is not supported in this property: {reference}")
    raise ValidationError(message=f"Incorrect format is used in the following SSM reference: [{reference}]")


def secret_value(
    name: str, json_key: str | None, stage: str | None, version: str | None, account: str, region: str
) -> str:
    """A secret's value, or one key's of the JSON in it."""
    try:
        backend = secretsmanager_backends[account][region]
        # moto takes None for a version that is not given, and no empty string.
        answer = backend.get_secret_value(name, version or None, stage or None)  # type: ignore[arg-type]
    except SecretsManagerClientError as error:
        raise ValidationError(message=f"Secrets Manager says of the secret {name}: {error.message}") from None
    whole = str(answer["SecretString"])
    if not json_key:
        return whole
    try:
        fields = json.loads(whole)
    except ValueError:
        # Without the error, which quotes the value.
        fields = None
    if not isinstance(fields, dict):
        raise ValidationError(message="Could not parse SecretString JSON")
    if json_key not in fields:
        raise ValidationError(message="Could not find a value associated with JSONKey in SecretString")
    return str(fields[json_key])


def parameter_value(name: str, version: str | None, account: str, region: str) -> str:
    """A parameter's value, which CloudFormation takes in plain text only."""
    parameter = ssm_backends[account][region].get_parameter(f"{name}:{version}" if version else name)
    if parameter is None:
        raise ValidationError(message=f"Parameters: [ssm:{name}:{version or ''}] cannot be found.")
    if parameter.parameter_type == "SecureString":
        raise ValidationError(message=f"Parameter [{name}] is a SecureString: no ssm reference takes one")
    return str(parameter.value)
