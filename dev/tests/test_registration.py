import json
from typing import Any

from cfnlint.decode import cfn_yaml
from surroundings import ROOT


def policies() -> list[dict[str, Any]]:
    role = cfn_yaml.load(ROOT / "registration.yml")["Resources"]["ExecutionRole"]["Properties"]
    statements = [statement for policy in role["Policies"] for statement in policy["PolicyDocument"]["Statement"]]
    # An `!If` holds the statement of a key of one's own second.
    return [statement["Fn::If"][1] if "Fn::If" in statement else statement for statement in statements]


def test_the_execution_role_allows_exactly_what_the_handlers_of_the_schema_need() -> None:
    schema = json.loads((ROOT / "schema/aws-iam-accesskey.json").read_text())
    needed = {action for handler in schema["handlers"].values() for action in handler["permissions"]}
    allowed = [action for statement in policies() for action in statement["Action"]]
    assert sorted(allowed) == sorted(needed)


def test_only_what_tells_names_and_dates_is_allowed_on_everything() -> None:
    broad = [action for statement in policies() if statement["Resource"] == "*" for action in statement["Action"]]
    assert broad == ["iam:GetAccessKeyLastUsed", "iam:ListUsers"]


def test_keys_are_limited_to_the_user_path_and_secrets_to_the_prefix() -> None:
    resources = [str(statement["Resource"]) for statement in policies()]
    assert any(":user${IamUserPath}*" in resource for resource in resources)
    assert any(":secret:${SecretNamePrefix}*" in resource for resource in resources)
