"""What template authors rely on: rotation, rollback, replacement, import and drift, with the built handlers."""

import json
from pathlib import Path
from typing import Any

import pytest
from lab import EXAMPLES, Failed, Lab, breaking, edited

USER_AND_KEY = """
Parameters:
  UserName: {Type: String}
  Serial: {Type: Number, Default: 1}
  Status: {Type: String, Default: Active}
  Action: {Type: String, Default: secretsmanager:GetSecretValue}
Resources:
  Key:
    Type: TYPE_NAME
    Properties: {UserName: !Ref UserName, Serial: !Ref Serial, Status: !Ref Status}
  Role:
    Type: AWS::IAM::Role
    Properties: {AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: []}}
  Reader:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: read
      Roles: [!Ref Role]
      PolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Action: !Ref Action, Resource: !GetAtt Key.SecretArn}]
Outputs:
  Key: {Value: !Ref Key}
  SecretArn: {Value: !GetAtt Key.SecretArn}
  SecretAccessKey: {Value: !GetAtt Key.SecretAccessKey}
"""


@pytest.fixture(params=["AWS::IAM::AccessKey"])
def template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key with a dependent."""
    path = tmp_path_factory.mktemp("template") / "template.yml"
    path.write_text(USER_AND_KEY.replace("TYPE_NAME", request.param))
    return path


@pytest.fixture
def user(lab: Lab, name: str) -> str:
    """A user that no stack made."""
    lab.iam.create_user(UserName=name)
    return name


def operations(lab: Lab) -> list[str]:
    """What the handlers have called."""
    return [call.operation for call in lab.calls()]


@pytest.mark.parametrize("template", ["AWS::IAM::AccessKey", "Acme::IAM::AccessKey"], indirect=True)
def test_a_higher_serial_gives_dependents_the_new_key_before_the_old_one_goes(
    lab: Lab, name: str, template: Path, user: str
) -> None:
    first = lab.deploy(name, template, UserName=user)
    lab.forget_calls()
    second = lab.deploy(name, template, Serial=2)

    assert [first[part] == second[part] for part in ("Key", "SecretArn", "SecretAccessKey")] == [False] * 3
    calls = lab.calls()
    assert max(len(call.keys[user]) for call in calls) == 2
    [deletion] = [call for call in calls if call.operation == "DeleteAccessKey"]
    assert set(deletion.keys[user]) == {first["Key"], second["Key"]}
    [*_, updated] = [
        number for number, event in enumerate(lab.events(name)) if event[:2] == ("Reader", "UPDATE_COMPLETE")
    ]
    assert updated < lab.events(name).index(("Key", "DELETE_COMPLETE", ""))
    assert lab.readable(lab.resource(name, "Role")) == second["SecretArn"]
    assert lab.keys(user) == {second["Key"]: "Active"}
    assert lab.secret_of(first["Key"]) is None
    assert lab.stored(second["SecretArn"])["SecretAccessKey"] == second["SecretAccessKey"]


@pytest.mark.parametrize("lowered", ["Serial: 1", ""], ids=["lowered", "removed"])
def test_a_refused_lower_serial_creates_nothing_and_a_higher_one_rotates(
    lab: Lab, name: str, template: Path, user: str, tmp_path: Path, lowered: str
) -> None:
    before = lab.deploy(name, template, UserName=user, Serial=2)
    changed = tmp_path / "changed.yml"
    changed.write_text(template.read_text().replace("Serial: !Ref Serial", lowered).replace(", ,", ","))
    lab.forget_calls()
    assert lab.fails(name, changed) == "UPDATE_ROLLBACK_COMPLETE"
    reason = lab.reasons(name, "UPDATE_FAILED")["Key"]
    words = f"would be lower than 2, that of access key {before['Key']}. Nothing was created."
    assert "HandlerErrorCode: InvalidRequest" in reason and f"Serial can only be incremented, and {words}" in reason
    assert "CreateAccessKey" not in operations(lab)
    assert lab.keys(user) == {before["Key"]: "Active"}
    assert lab.outputs(name) == before

    after = lab.deploy(name, template, Serial=3)
    assert lab.keys(user) == {after["Key"]: "Active"}
    assert after["Key"] != before["Key"]


def test_renaming_the_stacks_own_user_replaces_the_key_before_the_old_user_goes(
    lab: Lab, name: str, tmp_path: Path
) -> None:
    template = tmp_path / "template.yml"
    template.write_text(
        """
        Parameters: {UserName: {Type: String}}
        Resources:
          User: {Type: AWS::IAM::User, Properties: {UserName: !Ref UserName}}
          Key: {Type: AWS::IAM::AccessKey, Properties: {UserName: !Ref User}}
        """
    )
    lab.deploy(name, template, UserName=name)
    old = lab.resource(name, "Key")
    lab.deploy(name, template, UserName=f"{name}-2")
    [deletion] = [call for call in lab.calls() if call.operation == "DeleteAccessKey"]
    assert name in deletion.keys
    assert name not in lab.users()
    assert lab.keys(f"{name}-2") == {lab.resource(name, "Key"): "Active"}
    assert lab.secret_of(old) is None


def test_an_update_that_cannot_create_a_key_leaves_the_old_one_and_says_why(
    lab: Lab, name: str, template: Path, user: str
) -> None:
    before = lab.deploy(name, template, UserName=user)
    assert lab.fails(name, template, UserName=f"{name}-nobody") == "UPDATE_ROLLBACK_COMPLETE"
    assert "HandlerErrorCode: NotFound" in lab.reasons(name, "UPDATE_FAILED")["Key"]
    assert "Create the user first" in lab.reasons(name, "UPDATE_FAILED")["Key"]
    assert f"{name}-nobody" not in lab.reasons(name, "UPDATE_FAILED")["Key"], "what IAM does not know may be a secret"
    assert lab.outputs(name) == before
    assert lab.keys(user) == {before["Key"]: "Active"}
    assert lab.stored(before["SecretArn"])["SecretAccessKey"] == before["SecretAccessKey"]

    assert lab.deploy(name, template, UserName=user, Status="Inactive") == before, "and the stack can go on"
    assert lab.keys(user) == {before["Key"]: "Inactive"}


def test_an_update_that_fails_after_rotating_takes_the_new_key_back(
    lab: Lab, name: str, template: Path, user: str, tmp_path: Path
) -> None:
    before = lab.deploy(name, template, UserName=user)
    assert lab.fails(name, breaking(template, tmp_path, "Reader"), Serial=2) == "UPDATE_ROLLBACK_COMPLETE"
    assert operations(lab).count("CreateAccessKey") == 2, "it did rotate"
    assert lab.keys(user) == {before["Key"]: "Active"}
    assert lab.readable(lab.resource(name, "Role")) == before["SecretArn"]
    assert lab.outputs(name) == before
    events = lab.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    [new] = [event["PhysicalResourceId"] for event in events if event["ResourceStatus"] == "DELETE_COMPLETE"]
    assert new != before["Key"]
    assert lab.secret_of(new) is None


def test_a_stack_that_cannot_be_created_leaves_nothing_and_says_why(
    lab: Lab, name: str, template: Path, user: str, tmp_path: Path
) -> None:
    broken = edited(template, tmp_path, "!GetAtt Key.SecretAccessKey", "!GetAtt Key.Colour")
    with pytest.raises(Failed, match="does not support attribute type Colour"):
        lab.deploy(name, broken, UserName=user)
    broken = edited(template, tmp_path, "!Ref Role]", "no-such-role]")
    assert lab.fails(name, broken, UserName=user) == "ROLLBACK_COMPLETE"
    assert "no-such-role" in lab.reasons(name, "CREATE_FAILED")["Reader"]
    assert lab.keys(user) == {}
    with pytest.raises(Failed, match="ROLLBACK_COMPLETE state and can not be updated"):
        lab.deploy(name, template, UserName=user)


def test_a_key_that_its_create_could_not_take_back_is_deleted_by_the_rollback(
    lab: Lab, name: str, template: Path, user: str
) -> None:
    lab.deny("UpdateSecret", "DeleteAccessKey")
    lab.fails(name, template, UserName=user)
    reason = lab.reasons(name, "CREATE_FAILED")["Key"]
    assert "HandlerErrorCode: AccessDenied" in reason and "aws iam delete-access-key" in reason
    assert ("Key", "DELETE_COMPLETE", "") in lab.events(name)
    assert operations(lab).count("DeleteAccessKey") == 2
    assert lab.keys(user) == {}
    assert lab.stack(name)["StackStatus"] == "ROLLBACK_COMPLETE"


def test_a_key_that_cannot_be_deleted_keeps_the_stack_until_it_can(
    lab: Lab, name: str, template: Path, user: str
) -> None:
    key = lab.deploy(name, template, UserName=user)["Key"]
    # Without GetUser, nothing tells that the user is seconds old, which would make it a denial that passes.
    lab.deny("DeleteAccessKey", "GetUser")
    assert lab.delete(name) == "DELETE_FAILED"
    assert "HandlerErrorCode: AccessDenied" in lab.reasons(name, "DELETE_FAILED")["Key"]
    assert lab.keys(user) == {key: "Active"}
    assert lab.delete(name) == "DELETE_COMPLETE"
    assert lab.keys(user) == {}


def test_a_key_that_somebody_deleted_is_no_obstacle_to_deleting_the_stack(
    lab: Lab, name: str, template: Path, user: str
) -> None:
    key = lab.deploy(name, template, UserName=user)["Key"]
    lab.iam.delete_access_key(UserName=user, AccessKeyId=key)
    assert lab.delete(name) == "DELETE_COMPLETE"
    assert lab.secret_of(key) is None


def test_a_user_with_a_key_made_by_hand_keeps_the_stack_until_that_key_is_gone(
    lab: Lab, name: str, tmp_path: Path
) -> None:
    template = tmp_path / "template.yml"
    template.write_text("Resources: {User: {Type: AWS::IAM::User}}")
    lab.deploy(name, template)
    user = lab.resource(name, "User")
    key = lab.iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"]
    assert lab.delete(name) == "DELETE_FAILED"
    assert "must delete access keys first" in lab.reasons(name, "DELETE_FAILED")["User"]
    assert lab.keys(user) == {key: "Active"}
    lab.iam.delete_access_key(UserName=user, AccessKeyId=key)
    assert lab.delete(name) == "DELETE_COMPLETE"
    assert user not in lab.users()


def imported(lab: Lab, stack: str, user: str) -> str:
    """The id of a key that was made by hand and then imported."""
    key = str(lab.iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"])
    assert lab.import_key(stack, EXAMPLES / "import.yml", user, key) == "IMPORT_COMPLETE"
    return key


def with_output(directory: Path, attribute: str) -> Path:
    """The import example with an output."""
    template = directory / "with-output.yml"
    output = f"Outputs:\n  Attribute: {{Value: !GetAtt Key.{attribute}}}\n"
    template.write_text((EXAMPLES / "import.yml").read_text() + output)
    return template


def test_an_imported_key_can_be_switched_off_and_deleted(lab: Lab, name: str, user: str, tmp_path: Path) -> None:
    key = imported(lab, name, user)
    template = edited(EXAMPLES / "import.yml", tmp_path, "DeletionPolicy: Retain", "DeletionPolicy: Delete")
    lab.deploy(name, template, Status="Inactive")
    assert lab.keys(user) == {key: "Inactive"}
    assert lab.delete(name) == "DELETE_COMPLETE"
    assert lab.keys(user) == {}


def test_the_secret_of_an_imported_key_is_an_empty_string(lab: Lab, name: str, user: str, tmp_path: Path) -> None:
    imported(lab, name, user)
    for attribute in ("SecretAccessKey", "SecretArn"):
        assert lab.deploy(name, with_output(tmp_path, attribute)) == {"Attribute": ""}


def test_an_import_that_adds_an_output_is_refused(lab: Lab, name: str, user: str, tmp_path: Path) -> None:
    key = lab.iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"]
    with pytest.raises(Failed, match=r"you cannot modify or add \[Outputs\]"):
        lab.import_key(name, with_output(tmp_path, "CreateDate"), user, key)


def test_a_key_that_does_not_exist_cannot_be_imported(lab: Lab, name: str, user: str) -> None:
    with pytest.raises(Failed, match="StackImportComplete"):
        lab.import_key(name, EXAMPLES / "import.yml", user, "AKIAIOSFODNN7EXAMPLE")
    assert "HandlerErrorCode: NotFound" in lab.reasons(name, "IMPORT_FAILED")["Key"]


def read(lab: Lab, key: str) -> Any:
    """A READ with the primary identifier alone, as drift detection sends it."""
    return lab.handle("READ", {"Id": key})


def test_read_shows_what_was_done_to_a_key_behind_cloudformations_back(
    lab: Lab, name: str, template: Path, user: str
) -> None:
    outputs = lab.deploy(name, template, UserName=user)
    key = outputs["Key"]
    assert read(lab, key)["resourceModel"]["Status"] == "Active"
    lab.iam.update_access_key(UserName=user, AccessKeyId=key, Status="Inactive")
    model = read(lab, key)["resourceModel"]
    assert (model["Status"], model["UserName"], model["Serial"]) == ("Inactive", user, 1)
    lab.secrets.delete_secret(SecretId=outputs["SecretArn"], ForceDeleteWithoutRecovery=True)
    model = read(lab, key)["resourceModel"]
    assert {name for name in model if model[name]} == {"UserName", "Status", "Id", "CreateDate"}
    assert (model["SecretArn"], model["SecretAccessKey"]) == ("", "")
    lab.iam.delete_access_key(UserName=user, AccessKeyId=key)
    assert read(lab, key)["errorCode"] == "NotFound"


def test_stack_tags_are_the_secrets_tags(lab: Lab, name: str, template: Path, user: str) -> None:
    arn = lab.deploy(name, template, "--tags", "team=payments", UserName=user)["SecretArn"]
    tags = lab.secrets.describe_secret(SecretId=arn)["Tags"]
    assert {"Key": "team", "Value": "payments"} in tags


def test_no_secret_is_in_events_or_in_what_the_engine_logs(lab: Lab, name: str, template: Path, user: str) -> None:
    first = lab.deploy(name, template, UserName=user)["SecretAccessKey"]
    second = lab.deploy(name, template, Serial=2)["SecretAccessKey"]
    log = lab.log.read_text()
    assert "POST / HTTP/1.1" in log, "the engine logs every request"
    for secret in (first, second):
        assert secret not in json.dumps(lab.events(name))
        assert secret not in log
