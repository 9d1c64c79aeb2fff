"""The policies of the templates' roles, as they are deployed."""

import re
from typing import Any

from cfnlint.decode import cfn_yaml
from checkout import ROOT

KMS_KEY = "arn:aws:kms:us-east-1:123456789012:key/5c2b1f60-8d1c-11ef-a1a3-0affd8b5f8a7"
# How registration.yml may be deployed.
PARAMETERS = {
    "IamUserPath": "/ci/",
    "SecretNamePrefix": "teams/payments/",
    "KmsKeyArns": [KMS_KEY],
    "TypeName": "Acme::IAM::AccessKey",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "123456789012",
}
LOG_GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:/cloudformation/Acme-IAM-AccessKey:*"


def policy(template: str, role: str, **changed: Any) -> dict[str, Any]:
    """All statements of a role in a template, as it is deployed with these parameters."""
    parameters = {**PARAMETERS, **changed}
    properties = cfn_yaml.load(ROOT / template)["Resources"][role]["Properties"]
    statements = [
        rendered(each, parameters) for of in properties["Policies"] for each in of["PolicyDocument"]["Statement"]
    ]
    return {"Version": "2012-10-17", "Statement": [each for each in statements if each is not None]}


def rendered(value: Any, parameters: dict[str, Any]) -> Any:
    """Resolve the intrinsic functions that the templates' policies use."""
    match value:
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([\w:]+)\}", lambda name: str(parameters[name[1]]), text)
        case {"Fn::If": ["HasKmsKeys", then, _]}:
            return rendered(then, parameters)
        case {"Fn::GetAtt": ["LogGroup", "Arn"] | "LogGroup.Arn"}:
            return LOG_GROUP
        case {"Ref": str(name)}:
            return parameters[name]
        case dict():
            return {str(name): rendered(each, parameters) for name, each in value.items()}
        case list():
            return [rendered(each, parameters) for each in value]
    return value
