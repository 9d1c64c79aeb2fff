import json
from typing import Any

from cfnlint.decode import cfn_yaml
from surroundings import ROOT

from inputs import input_sets


def properties(logical_id: str) -> Any:
    return cfn_yaml.load(ROOT / "registration.yml")["Resources"][logical_id]["Properties"]


def policies() -> list[dict[str, Any]]:
    policies = properties("ExecutionRole")["Policies"]
    statements = [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]
    # An `!If` holds the statement of a key of one's own second.
    return [statement["Fn::If"][1] if "Fn::If" in statement else statement for statement in statements]


def test_the_execution_role_allows_exactly_what_the_handlers_of_the_schema_need() -> None:
    schema = json.loads((ROOT / "schema/aws-iam-accesskey.json").read_text())
    needed = {action for handler in schema["handlers"].values() for action in handler["permissions"]}
    allowed = [action for statement in policies() for action in statement["Action"]]
    assert sorted(allowed) == sorted(needed)


def test_every_action_is_allowed_on_no_more_than_it_is_for() -> None:
    keys = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:user${IamUserPath}*"}
    secrets = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${SecretNamePrefix}*"
    kms_key = {"Ref": "KmsKeyArns"}
    assert {action: statement["Resource"] for statement in policies() for action in statement["Action"]} == {
        "iam:CreateAccessKey": keys,
        "iam:DeleteAccessKey": keys,
        "iam:ListAccessKeys": keys,
        "iam:UpdateAccessKey": keys,
        "iam:GetAccessKeyLastUsed": "*",
        "iam:GetUser": "*",
        "iam:ListUsers": "*",
        "secretsmanager:CreateSecret": {"Fn::Sub": secrets},
        "secretsmanager:DeleteSecret": {"Fn::Sub": secrets},
        "secretsmanager:DescribeSecret": {"Fn::Sub": secrets},
        "secretsmanager:GetSecretValue": {"Fn::Sub": secrets},
        "secretsmanager:RemoveRegionsFromReplication": {"Fn::Sub": secrets},
        "secretsmanager:TagResource": {"Fn::Sub": secrets},
        "secretsmanager:UntagResource": {"Fn::Sub": secrets},
        "secretsmanager:UpdateSecret": {"Fn::Sub": secrets},
        "kms:Decrypt": kms_key,
        "kms:GenerateDataKey": kms_key,
    }


def test_the_logging_role_may_write_only_to_the_types_own_group_and_metrics() -> None:
    [policy] = properties("LoggingRole")["Policies"]
    statements = policy["PolicyDocument"]["Statement"]
    [lines] = [statement for statement in statements if "logs:PutLogEvents" in statement["Action"]]
    assert lines["Action"] == ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    assert lines["Resource"] == {"Fn::GetAtt": ["LogGroup", "Arn"]}
    [metrics] = [statement for statement in statements if "cloudwatch:PutMetricData" in statement["Action"]]
    assert metrics["Condition"] == {"StringLike": {"cloudwatch:namespace": "AWS/CloudFormation/*"}}


def test_only_cloudformation_assumes_the_roles_and_the_execution_role_only_for_this_type_in_this_account() -> None:
    trusted = {
        role: properties(role)["AssumeRolePolicyDocument"]["Statement"] for role in ("ExecutionRole", "LoggingRole")
    }
    for [statement] in trusted.values():
        assert statement["Principal"] == {"Service": "resources.cloudformation.amazonaws.com"}
    type_name = {"Name": {"Fn::Join": ["-", {"Fn::Split": ["::", {"Ref": "TypeName"}]}]}}
    versions = "arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:type/resource/${Name}/*"
    assert trusted["ExecutionRole"][0]["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        "StringLike": {"aws:SourceArn": {"Fn::Sub": [versions, type_name]}},
    }


def test_the_contract_tests_users_are_there_and_the_execution_role_reaches_them() -> None:
    registration, users = (cfn_yaml.load(ROOT / name) for name in ("registration.yml", "contract-test-users.yml"))
    made = [user["Properties"] for user in users["Resources"].values()]
    assert [user["UserName"] for user in made] == [inputs.user for inputs in input_sets()]
    assert {json.dumps(user["Path"]) for user in made} == {'{"Ref": "IamUserPath"}'}
    for setting in ("Type", "Default", "AllowedPattern"):
        assert users["Parameters"]["IamUserPath"][setting] == registration["Parameters"]["IamUserPath"][setting], (
            setting
        )
