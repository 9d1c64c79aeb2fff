import json
from typing import Any

from cfnlint.decode import cfn_yaml
from checkout import FUNCTION, ROOT
from projects import PROJECTS


def properties(logical_id: str) -> Any:
    return cfn_yaml.load(ROOT / "registration.yml")["Resources"][logical_id]["Properties"]


def statements(role: str) -> list[dict[str, Any]]:
    return [statement for policy in properties(role)["Policies"] for statement in policy["PolicyDocument"]["Statement"]]


def allow(actions: list[str] | str, resource: Any, **condition: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource, **condition}


def test_every_action_is_allowed_on_no_more_than_it_is_for() -> None:
    keys = "arn:${AWS::Partition}:iam::${AWS::AccountId}:user${IamUserPath}*"
    secrets = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${SecretNamePrefix}*"
    for_secrets = {"StringLike": {"kms:ViaService": {"Fn::Sub": "secretsmanager.${AWS::Region}.amazonaws.com*"}}}
    of_key_ids = {"ForAllValues:StringLike": {"aws:TagKeys": "AKIA*"}, "Null": {"aws:TagKeys": "false"}}
    kms_keys = allow(
        ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"], {"Ref": "KmsKeyArns"}, Condition=for_secrets
    )
    assert statements("ExecutionRole") == [
        allow(
            [
                "iam:CreateAccessKey",
                "iam:DeleteAccessKey",
                "iam:ListAccessKeys",
                "iam:ListUserTags",
                "iam:UpdateAccessKey",
            ],
            {"Fn::Sub": keys},
        ),
        allow(["iam:TagUser", "iam:UntagUser"], {"Fn::Sub": keys}, Condition=of_key_ids),
        allow(["iam:GetAccessKeyLastUsed", "iam:GetUser", "iam:ListUsers"], "*"),
        allow(
            [
                "secretsmanager:CreateSecret",
                "secretsmanager:DeleteSecret",
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetSecretValue",
                "secretsmanager:RemoveRegionsFromReplication",
                "secretsmanager:TagResource",
                "secretsmanager:UntagResource",
                "secretsmanager:UpdateSecret",
            ],
            {"Fn::Sub": secrets},
        ),
        {"Fn::If": ["HasKmsKeys", kms_keys, {"Ref": "AWS::NoValue"}]},
    ]


def test_the_logging_role_may_write_only_to_the_types_own_group_and_metrics() -> None:
    group = {"Fn::GetAtt": ["LogGroup", "Arn"]}
    of_types = {"StringLike": {"cloudwatch:namespace": "AWS/CloudFormation/*"}}
    assert statements("LoggingRole") == [
        allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], group),
        allow("cloudwatch:PutMetricData", "*", Condition=of_types),
        allow("logs:DescribeLogStreams", group),
        allow(["cloudwatch:ListMetrics", "logs:DescribeLogGroups"], "*"),
    ]


def test_only_cloudformation_assumes_a_role_the_execution_role_for_this_type() -> None:
    type_name = {"Name": {"Fn::Join": ["-", {"Fn::Split": ["::", {"Ref": "TypeName"}]}]}}
    versions = "arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:type/resource/${Name}/*"
    cloudformation = {
        "Effect": "Allow",
        "Principal": {"Service": "resources.cloudformation.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    of_this_type = {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        "StringLike": {"aws:SourceArn": {"Fn::Sub": [versions, type_name]}},
    }
    for role, trusted in {
        "ExecutionRole": {**cloudformation, "Condition": of_this_type},
        "LoggingRole": cloudformation,
    }.items():
        assert properties(role)["AssumeRolePolicyDocument"]["Statement"] == [trusted]
        # No managed policies beside those above.
        assert sorted(properties(role)) == ["AssumeRolePolicyDocument", "MaxSessionDuration", "Policies"]


def test_the_contract_tests_users_are_there_and_the_execution_role_reaches_them() -> None:
    registration, users = (cfn_yaml.load(ROOT / name) for name in ("registration.yml", "contract-test-users.yml"))
    made = [user["Properties"] for user in users["Resources"].values()]
    assert [user["UserName"] for user in made] == [each.create["UserName"] for each in PROJECTS[FUNCTION].input_sets()]
    assert {json.dumps(user["Path"]) for user in made} == {'{"Ref": "IamUserPath"}'}
    for setting in ("Type", "Default", "AllowedPattern"):
        assert users["Parameters"]["IamUserPath"][setting] == registration["Parameters"]["IamUserPath"][setting], (
            setting
        )
