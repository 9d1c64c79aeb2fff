"""Every template in examples/, deployed, updated and deleted with the AWS CLI."""

import base64
import fnmatch
import hmac
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cfn_engine.aws import REGION
from cfnlint.decode import cfn_yaml
from lab import EXAMPLES, LOG_GROUP, Lab, breaking, edited, laboratory


def left(lab: Lab, stack: str, keys: Iterable[str]) -> list[str]:
    """The secrets that are left of a stack and of its keys."""
    pages = lab.secrets.get_paginator("list_secrets").paginate(IncludePlannedDeletion=True)
    secrets = [secret["Name"] for page in pages for secret in page["SecretList"]]
    return [secret for secret in secrets if secret.startswith(f"{stack}/") or secret.rpartition("/")[2] in keys]


def delete(lab: Lab, stack: str, user: str, *keys: str) -> None:
    """Deletes a stack, of which nothing must be left, nor of its user and its keys."""
    assert lab.delete(stack) == "DELETE_COMPLETE"
    assert user not in lab.users()
    assert left(lab, stack, keys) == []


def test_basic_gives_a_key_whose_credentials_are_in_its_secret(lab: Lab, name: str, tmp_path: Path) -> None:
    template = EXAMPLES / "basic.yml"
    outputs = lab.deploy(name, template)
    user, key = lab.resource(name, "User"), outputs["AccessKeyId"]
    assert lab.keys(user) == {key: "Active"}
    stored = lab.stored(outputs["SecretArn"])
    assert (stored["AccessKeyId"], stored["UserName"], len(stored["SecretAccessKey"])) == (key, user, 40)

    assert lab.deploy(name, template) == outputs, "deploying it again changes nothing"
    assert [status for _, status, _ in lab.events(name)][-1] == "CREATE_COMPLETE"

    inactive = edited(template, tmp_path, "UserName: !Ref User", "UserName: !Ref User\n      Status: Inactive")
    assert lab.deploy(name, inactive) == outputs
    assert lab.keys(user) == {key: "Inactive"}

    delete(lab, name, user, key)


def test_rotation_hands_on_the_new_secret_and_deletes_the_old_key(lab: Lab, name: str) -> None:
    template = EXAMPLES / "rotation.yml"
    first = lab.deploy(name, template)
    second = lab.deploy(name, template, Serial=2)
    user = lab.resource(name, "User")
    assert first["AccessKeyId"] != second["AccessKeyId"]
    assert lab.keys(user) == {second["AccessKeyId"]: "Active"}
    assert lab.secret_of(first["AccessKeyId"]) is None
    secret_arn = lab.ssm.get_parameter(Name=f"/{name}/access-key-secret")["Parameter"]["Value"]
    assert secret_arn == second["SecretArn"]
    assert lab.stored(secret_arn)["Serial"] == 2

    events = lab.events(name)
    assert lab.deploy(name, template, Serial=2) == second, "the same again changes nothing"
    assert lab.deploy(name, template) == second, "nor do the previous parameters"
    assert lab.events(name) == events

    delete(lab, name, user, second["AccessKeyId"])


def test_secret_arn_hands_the_credentials_to_a_container_without_plaintext(lab: Lab, name: str, tmp_path: Path) -> None:
    template = EXAMPLES / "secret-arn.yml"
    lab.deploy(name, template)
    role, old = lab.resource(name, "ExecutionRole"), lab.resource(name, "Key")

    rotated = edited(template, tmp_path, "Serial: 1", "Serial: 2")
    lab.deploy(name, rotated)
    user, key = lab.resource(name, "User"), lab.resource(name, "Key")
    assert old != key
    assert lab.keys(user) == {key: "Active"}
    arn = lab.secret_of(key)
    task = lab.ecs.describe_task_definition(taskDefinition=lab.resource(name, "Task"))["taskDefinition"]
    wanted = {"AWS_ACCESS_KEY_ID": f"{arn}:AccessKeyId::", "AWS_SECRET_ACCESS_KEY": f"{arn}:SecretAccessKey::"}
    assert {secret["name"]: secret["valueFrom"] for secret in task["containerDefinitions"][0]["secrets"]} == wanted
    assert lab.readable(role) == arn
    secret = lab.stored(str(arn))["SecretAccessKey"]
    everything = lab.cloudformation.get_template(StackName=name), lab.stack(name), lab.events(name), task
    assert secret not in json.dumps(everything, default=str)

    delete(lab, name, user, old, key)


def test_two_keys_live_side_by_side_on_one_user(lab: Lab, name: str) -> None:
    template = EXAMPLES / "two-keys.yml"
    outputs = lab.deploy(name, template)
    user, in_use, reserve = (lab.resource(name, part) for part in ("User", "InUse", "Reserve"))
    assert lab.keys(user) == {in_use: "Active", reserve: "Inactive"}
    assert lab.stored(outputs["ReserveSecretArn"])["AccessKeyId"] == reserve

    assert lab.deploy(name, template, ReserveStatus="Active") == outputs
    assert lab.keys(user) == {in_use: "Active", reserve: "Active"}

    delete(lab, name, user, in_use, reserve)


def test_import_takes_over_a_key_that_exists_and_leaves_it_when_the_stack_goes(
    lab: Lab, name: str, tmp_path: Path
) -> None:
    template = EXAMPLES / "import.yml"
    lab.iam.create_user(UserName=name)
    key = lab.iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    assert lab.import_key(name, template, name, key) == "IMPORT_COMPLETE"
    assert lab.resource(name, "Key") == key
    assert lab.keys(name) == {key: "Active"}

    with_outputs = tmp_path / "with-outputs.yml"
    with_outputs.write_text(template.read_text() + "Outputs: {CreateDate: {Value: !GetAtt Key.CreateDate}}\n")
    assert lab.deploy(name, with_outputs, Status="Inactive")["CreateDate"].endswith("Z")
    assert lab.keys(name) == {key: "Inactive"}
    assert lab.secret_of(key) is None

    assert lab.delete(name) == "DELETE_COMPLETE"
    assert lab.keys(name) == {key: "Inactive"}


def gpg(home: Path, *arguments: str, data: bytes = b"") -> bytes:
    """What GnuPG, with a home of its own, makes of the data."""
    options = ["--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
    return subprocess.run(["gpg", *options, *arguments], input=data, stdout=-1, check=True, timeout=60).stdout


def test_pgp_gives_a_secret_that_only_the_owner_of_the_key_can_read(lab: Lab, name: str) -> None:
    template, secrets, outputs = EXAMPLES / "pgp.yml", [], []
    with tempfile.TemporaryDirectory(prefix="g", dir="/tmp") as directory:  # a socket's path has a hundred bytes
        home = Path(directory)
        try:
            for owner in ("alice@example.com", "bob@example.com"):
                gpg(home, "--quick-gen-key", owner, "future-default", "default", "never")
                public = base64.b64encode(gpg(home, "--export", owner)).decode()
                outputs.append(lab.deploy(name, template, PgpKey=public))
                encrypted = base64.b64decode(outputs[-1]["EncryptedSecret"])
                secrets.append(gpg(home, "--decrypt", "--try-secret-key", owner, data=encrypted).decode())
        finally:
            subprocess.run(["gpgconf", "--homedir", directory, "--kill", "all"], check=True, timeout=60)
    [of_alice, of_bob], user = outputs, lab.resource(name, "User")
    key = of_bob["AccessKeyId"]
    assert lab.keys(user) == {key: "Active"}, "another PgpKey has replaced the key"
    assert all(of_alice[output] != of_bob[output] for output in of_alice)
    assert [len(secret) for secret in secrets] == [40, 40] and secrets[0] != secrets[1]
    assert len(of_bob["KeyFingerprint"]) == 40
    stored = lab.stored(str(lab.secret_of(key)))
    assert stored["EncryptedSecret"] == of_bob["EncryptedSecret"]
    everything = json.dumps([stored, lab.stack(name), lab.events(name)], default=str)
    assert not any(secret in everything for secret in secrets)

    delete(lab, name, user, of_alice["AccessKeyId"], key)


def smtp(lab: Lab, key: str, region: str) -> dict[str, Any]:
    """A key's SMTP credentials, the password as the SES documentation derives it."""
    signature = f"AWS4{lab.stored(str(lab.secret_of(key)))['SecretAccessKey']}".encode()
    for part in ("11111111", region, "ses", "aws4_request", "SendRawEmail"):
        signature = hmac.digest(signature, part.encode(), "sha256")
    password = base64.b64encode(b"\x04" + signature).decode()
    return {"host": f"email-smtp.{region}.amazonaws.com", "port": 587, "username": key, "password": password}


def test_ses_smtp_hands_on_the_smtp_credentials_of_the_region(lab: Lab, name: str) -> None:
    keys = []
    for region, parameters in (("eu-central-1", {}), ("us-west-2", {"SesRegion": "us-west-2"})):
        outputs = lab.deploy(name, EXAMPLES / "ses-smtp.yml", **parameters)
        keys.append(key := outputs["SmtpUserName"])
        assert lab.stored(outputs["SmtpSecretArn"]) == smtp(lab, key, region)
    user = lab.resource(name, "User")
    assert lab.keys(user) == {keys[1]: "Active"}, "another region has replaced the key"

    delete(lab, name, user, *keys)
    with pytest.raises(lab.secrets.exceptions.ResourceNotFoundException):
        lab.stored(outputs["SmtpSecretArn"])


@pytest.fixture(scope="session")
def lab_without_secrets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An account that has set `ReturnSecrets` to false."""
    with laboratory(tmp_path_factory.mktemp("logs"), configuration={"ReturnSecrets": False}) as lab:
        yield lab


@pytest.mark.parametrize(("account", "source"), [("lab", "Attribute"), ("lab_without_secrets", "StoredSecret")])
def test_published_secret_keeps_its_name_while_the_key_behind_it_changes(
    request: pytest.FixtureRequest, name: str, account: str, source: str
) -> None:
    lab: Lab = request.getfixturevalue(account)
    template, keys, arns = EXAMPLES / "published-secret.yml", [], set()
    for serial in (1, 2, 3):
        outputs = lab.deploy(name, template, Serial=serial, PasswordFrom=source)
        keys.append(key := outputs["SmtpUserName"])
        arns.add(outputs["SecretArn"])
        published = smtp(lab, key, REGION)
        assert lab.stored(f"{name}/smtp") == published
        told = lab.cloudformation.get_template(StackName=name), lab.stack(name), lab.events(name)
        assert published["password"] not in json.dumps(told, default=str)
    user = lab.resource(name, "User")
    assert len(set(keys)) == 3 and len(arns) == 1, "three keys under one name"
    assert lab.keys(user) == {keys[-1]: "Active"}

    lab.deny("CreateSecret", times=9)
    lab.fails(name, template, Serial=4)
    assert lab.stored(f"{name}/smtp") == published, "what fails publishes nothing"
    lab.deny()

    delete(lab, name, user, *keys)


STAGES = ("BlueToGreen", "Green", "GreenToBlue", "Blue")


class Reader:
    """Reads the published secret all the time, and uses what it has read until the next but one deployment begins."""

    def __init__(self, lab: Lab, stack: str) -> None:
        self.lab, self.stack, self.user = lab, stack, lab.resource(stack, "User")
        # By key id, all those that the cache may still have.
        self.held: dict[str, str] = {}
        self.every: set[str] = set()
        self.faults: list[str] = []

    def read(self) -> str:
        """Reads once, and looks whether everything that was read still works."""
        credentials = self.lab.stored(f"{self.stack}/access-key")
        assert credentials["Version"] == 1, "the layout of credential_process"
        self.held[credentials["AccessKeyId"]] = credentials["SecretAccessKey"]
        self.every.add(credentials["AccessKeyId"])
        keys = self.lab.keys(self.user)
        self.faults += [f"{key} is gone or inactive" for key in self.held if keys.get(key) != "Active"]
        stored = {key: self.lab.secret_of(key) for key in self.held}
        self.faults += [f"{key} has another secret" for key, arn in stored.items()
                        if not arn or self.lab.stored(arn)["SecretAccessKey"] != self.held[key]]  # fmt: skip
        return str(credentials["AccessKeyId"])

    def during(self, deploy: Callable[[], object]) -> None:
        """Reads before, during and after a deployment. What it read before the one before is no longer used."""
        self.held.clear()
        self.read()
        with ThreadPoolExecutor(1) as pool:
            deployment = pool.submit(deploy)
            while not deployment.done():
                self.read()
        deployment.exception()
        self.read()
        assert not self.faults

    def previous(self) -> str:
        """The key that the secret's AWSPREVIOUS names."""
        secret = {"SecretId": f"{self.stack}/access-key", "VersionStage": "AWSPREVIOUS"}
        return str(json.loads(self.lab.secrets.get_secret_value(**secret)["SecretString"])["AccessKeyId"])


@pytest.mark.parametrize("failing", [False, True], ids=["each step", "each step, after it has failed"])
def test_overlap_hands_no_reader_a_key_that_ends_before_the_next_step_but_one(
    lab: Lab, name: str, tmp_path: Path, failing: bool
) -> None:
    template = EXAMPLES / "overlap.yml"
    # It comes after the keys, and before the secret that publishes one.
    breaks = breaking(template, tmp_path, "[Blue, Green]")
    breaks = edited(breaks, tmp_path, "  Credentials:\n", "  Credentials:\n    DependsOn: Broken\n")
    arn = lab.deploy(name, template)["SecretArn"]
    reader = Reader(lab, name)
    live = reader.read()
    for stage in STAGES * 2:
        if failing:
            before = lab.keys(reader.user), reader.read()
            made = lab.calls()
            reader.during(lambda: lab.fails(name, breaks, Stage=stage))  # noqa: B023
            assert lab.stack(name)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
            assert (lab.keys(reader.user), reader.read()) == before
            called = [call.operation for call in lab.calls()[len(made) :]]
            assert ("CreateAccessKey" in called) == ("To" in stage), "it fails after the new key"
        lab.forget_calls()
        reader.during(lambda: lab.deploy(name, template, Stage=stage))  # noqa: B023
        outputs, old = lab.outputs(name), live
        live = outputs["AccessKeyId"]
        assert reader.read() == live and outputs["SecretArn"] == arn
        assert reader.previous() != live
        if "To" in stage:
            assert lab.keys(reader.user) == {old: "Active", live: "Active"}
            assert reader.previous() == old, "AWSPREVIOUS still works"
        else:
            assert old == live and lab.keys(reader.user) == {live: "Active"}
    assert len(reader.every) == 5, "two turns are four rotations"
    told = lab.cloudformation.get_template(StackName=name), lab.stack(name), lab.events(name)
    assert reader.held[live] not in json.dumps(told, default=str)

    delete(lab, name, reader.user, *reader.every)


@pytest.mark.parametrize("account", ["lab", "lab_without_secrets"])
def test_overlap_out_of_turn_is_a_rotation_at_once_or_none(
    request: pytest.FixtureRequest, name: str, account: str
) -> None:
    lab: Lab = request.getfixturevalue(account)
    template = EXAMPLES / "overlap.yml"
    blue = lab.deploy(name, template)["AccessKeyId"]
    user = lab.resource(name, "User")
    assert lab.deploy(name, template, Stage="GreenToBlue")["AccessKeyId"] == blue, "nothing new is published"
    keys = lab.keys(user)
    [green] = keys.keys() - {blue}
    assert keys == {blue: "Active", green: "Active"}
    assert lab.deploy(name, template, Stage="BlueToGreen")["AccessKeyId"] == green, "the key that was there already"
    published, stored = lab.stored(f"{name}/access-key"), lab.stored(str(lab.secret_of(green)))
    assert published["SecretAccessKey"] == stored["SecretAccessKey"]
    assert lab.deploy(name, template, Stage="GreenToBlue")["AccessKeyId"] == blue, "back to the old key"
    assert lab.keys(user) == keys
    lab.deploy(name, template, Stage="Blue")
    assert lab.keys(user) == {blue: "Active"}

    next_green = lab.deploy(name, template, Stage="Green")["AccessKeyId"]
    assert next_green != green
    assert lab.keys(user) == {next_green: "Active"}, "no overlap"
    delete(lab, name, user, blue, green, next_green)


def test_overlap_beside_a_resource_that_fails_deletes_a_published_key(lab: Lab, name: str, tmp_path: Path) -> None:
    template = EXAMPLES / "overlap.yml"
    breaks = breaking(template, tmp_path, "Credentials")
    before = lab.deploy(name, template)
    reader = Reader(lab, name)
    lab.fails(name, breaks, Stage="BlueToGreen")
    assert lab.outputs(name) == before
    assert reader.read() == before["AccessKeyId"] and not reader.faults
    assert reader.previous() not in lab.keys(reader.user), "why nothing else should be in the stack"
    lab.delete(name)


def test_overlap_names_the_key_that_a_clean_up_left(lab: Lab, name: str) -> None:
    template = EXAMPLES / "overlap.yml"
    blue = lab.deploy(name, template)["AccessKeyId"]
    green = lab.deploy(name, template, Stage="BlueToGreen")["AccessKeyId"]
    # Without GetUser, nothing tells that the user is seconds old, which would make it a denial that passes.
    lab.deny("DeleteAccessKey", "GetUser")
    lab.deploy(name, template, Stage="Green")
    user = lab.resource(name, "User")
    assert lab.keys(user) == {blue: "Active", green: "Active"}
    lab.fails(name, template, Stage="GreenToBlue")
    reason = lab.reasons(name, "CREATE_FAILED")["Blue"]
    assert "ServiceLimitExceeded" in reason and blue in reason
    assert lab.stored(f"{name}/access-key")["AccessKeyId"] == green
    lab.iam.delete_access_key(UserName=user, AccessKeyId=blue)
    lab.deploy(name, template, Stage="GreenToBlue")
    lab.delete(name)
    lab.secrets.delete_secret(SecretId=lab.secret_of(blue), ForceDeleteWithoutRecovery=True)


def scheduled(lab: Lab, stack: str) -> dict[str, dict[str, Any]]:
    """The schedules of a stack, by logical id, as EventBridge Scheduler has them."""
    resources = lab.cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    schedules = [each for each in resources if each["ResourceType"] == "AWS::Scheduler::Schedule"]
    scheduler = lab.client("scheduler")
    return {each["LogicalResourceId"]: scheduler.get_schedule(Name=each["PhysicalResourceId"]) for each in schedules}


def fire(lab: Lab, schedule: dict[str, Any]) -> None:
    """Calls what the schedule does, with what it sends."""
    assert schedule["Target"]["Arn"] == "arn:aws:scheduler:::aws-sdk:cloudformation:updateStack"
    lab.cloudformation.update_stack(**json.loads(schedule["Target"]["Input"]))


def test_scheduled_rotation_goes_through_the_stages_in_the_order_of_the_year(lab: Lab, name: str) -> None:
    template, rotation = EXAMPLES / "scheduled-rotation.yml", f"{name}-rotation"
    first = lab.deploy(name, EXAMPLES / "overlap.yml")["AccessKeyId"]
    role = lab.deploy(rotation, template, StackName=name)["RoleArn"]
    schedules = scheduled(lab, rotation)
    # cron(minute hour days months weekday year)
    when = {stage: schedule["ScheduleExpression"].split(" ") for stage, schedule in schedules.items()}
    assert {fields[2] for fields in when.values()} == {"1-7", "8-14"}
    days = sorted((int(month), fields[2], stage) for stage, fields in when.items() for month in fields[3].split(","))
    assert tuple(stage for _, _, stage in days) == STAGES * 3
    assert all(schedule["Target"]["RoleArn"] == role for schedule in schedules.values())

    published = [first]
    for stage in STAGES * 2:
        fire(lab, schedules[stage])
        assert lab.stack(name)["Parameters"] == [{"ParameterKey": "Stage", "ParameterValue": stage}]
        published.append(lab.outputs(name)["AccessKeyId"])
        with pytest.raises(lab.cloudformation.exceptions.ClientError, match="No updates are to be performed"):
            fire(lab, schedules[stage])
    assert len(set(published)) == 5

    policy = lab.iam.get_role_policy(RoleName=role.rpartition("/")[2], PolicyName="rotate")["PolicyDocument"]
    on_stack, on_secret, on_keys = policy["Statement"]
    arns = [lab.stack(name)["StackId"], lab.outputs(name)["SecretArn"], str(lab.secret_of(published[-1]))]
    for statement, arn in zip(policy["Statement"], arns, strict=True):
        assert fnmatch.fnmatchcase(arn, statement["Resource"])
    tags = lab.secrets.describe_secret(SecretId=arns[2])["Tags"]
    assert {"Key": "stack", "Value": on_keys["Condition"]["StringEquals"]["aws:ResourceTag/stack"]} in tags
    other = lab.stack(rotation)["StackId"]
    assert not any(fnmatch.fnmatchcase(other, statement["Resource"]) for statement in (on_stack, on_secret))

    assert lab.delete(rotation) == "DELETE_COMPLETE"
    assert lab.client("scheduler").list_schedules()["Schedules"] == []
    assert role.rpartition("/")[2] not in {each["RoleName"] for each in lab.iam.list_roles()["Roles"]}
    assert lab.delete(name) == "DELETE_COMPLETE"
    assert left(lab, name, published) == []


def test_scheduled_rotation_by_serial_raises_it(lab: Lab, name: str) -> None:
    rotation = f"{name}-rotation"
    published = [lab.deploy(name, EXAMPLES / "published-secret.yml")["SmtpUserName"]]
    lab.deploy(rotation, EXAMPLES / "scheduled-rotation.yml", StackName=name, RotatesBy="Serial")
    schedules = scheduled(lab, rotation)
    for schedule in sorted(schedules.values(), key=lambda each: int(each["ScheduleExpression"].split(" ")[3])):
        fire(lab, schedule)
        published.append(lab.outputs(name)["SmtpUserName"])
        assert lab.stored(f"{name}/smtp")["username"] == published[-1]
    assert len(set(published)) == len(schedules) + 1 == 3
    assert lab.delete(rotation) == lab.delete(name) == "DELETE_COMPLETE"
    assert lab.client("scheduler").list_schedules()["Schedules"] == []
    assert left(lab, name, published) == []


def watched(expression: str) -> tuple[str, str, frozenset[str]]:
    """The namespace, the metric and the names of its dimensions that a search or a query is about."""
    search = re.search(r"""SEARCH\('\{([\w/]+),([\w,]+)\} MetricName="(\w+)"'""", expression)
    query = re.search(r"""SELECT SUM\((\w+)\) FROM SCHEMA\("([\w/]+)", ([\w, ]+)\)""", expression)
    assert search or query, expression
    if search:
        namespace, dimensions, metric = search.groups()
    elif query:
        metric, namespace, dimensions = query.groups()
    return namespace, metric, frozenset(re.findall(r"\w+", dimensions))


def names(line: dict[str, Any], prefix: str = "") -> set[str]:
    """The fields of a line as Logs Insights names them."""
    nested = [names(value, f"{name}.") for name, value in line.items() if isinstance(value, dict)]
    return {prefix + name for name in line}.union(*nested)


def fits(pattern: str, line: dict[str, Any]) -> bool:
    """Whether a metric filter counts a line: fields that are like a text with asterisks, all of them."""
    terms = re.findall(r'\$\.(\w+) = "([^"]+)"', pattern)
    assert pattern == "{ " + " && ".join(f'$.{name} = "{text}"' for name, text in terms) + " }"
    return all(fnmatch.fnmatchcase(str(line.get(name)), text) for name, text in terms)


def test_operations_watches_what_the_handlers_send(lab: Lab, name: str) -> None:
    lab.deny("PutLogEvents")
    lab.deploy(f"{name}-works", EXAMPLES / "basic.yml")
    lab.deny("UpdateSecret", "DeleteAccessKey")
    lab.fails(f"{name}-fails", EXAMPLES / "basic.yml")
    template, cloudwatch, config = EXAMPLES / "operations.yml", lab.client("cloudwatch"), lab.client("config")
    topic = lab.deploy(name, template)["Alarms"]

    sent: set[tuple[str, str, frozenset[str]]] = set()
    values: set[tuple[str, str]] = set()
    for metric in cloudwatch.list_metrics()["Metrics"]:
        dimensions = frozenset(dimension["Name"] for dimension in metric["Dimensions"])
        sent.add((metric["Namespace"], metric["MetricName"], dimensions))
        values.update((dimension["Name"], dimension["Value"]) for dimension in metric["Dimensions"])
    dashboard = json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"])
    shown = {each["expression"] for part in dashboard["widgets"] for [each] in part["properties"].get("metrics", [])}
    assert len(shown) == 5 and {watched(expression) for expression in shown} <= sent
    assert {re.findall(r"'(p?\w+)', 300", expression)[0] for expression in shown} == {"Sum", "p50", "p90", "p99"}

    alarms = {alarm["AlarmName"].split("-")[-2]: alarm for alarm in cloudwatch.describe_alarms()["MetricAlarms"]}
    assert set(alarms) == {"InternalFailure", "LogDelivery", "Orphan"}
    assert all(alarm["AlarmActions"] == [topic] for alarm in alarms.values())
    queries = [alarms[alarm]["Metrics"][0]["Expression"] for alarm in ("InternalFailure", "LogDelivery")]
    assert {watched(query) for query in queries} <= sent
    assert ("Action", "ProviderLogDelivery") in values and queries[1].endswith("Action = 'ProviderLogDelivery'")

    [counted] = lab.logs.describe_metric_filters()["metricFilters"]
    lines = [line for stack in ("works", "fails") for line in lab.lines(f"{name}-{stack}")]
    left = {line["message"]: line for line in lines if fits(counted["filterPattern"], line)}
    assert set(left) == {"key of a failed CREATE is left", "record of a CREATE is left open"}
    assert left["key of a failed CREATE is left"]["access_key_id"]
    [metric] = counted["metricTransformations"]
    alarm = alarms["Orphan"]
    assert (metric["metricNamespace"], metric["metricName"]) == (alarm["Namespace"], alarm["MetricName"])

    known = set().union(*map(names, lines))
    resources = cfn_yaml.load(template)["Resources"].values()
    saved = [each["Properties"] for each in resources if each["Type"] == "AWS::Logs::QueryDefinition"]
    for query in [each["QueryString"] for each in saved]:
        fields = re.findall(r"(?:fields|filter|by|pct\(|,|and) ?([a-z_.]+)(?=[ ,\n|]|$)", query)
        assert fields and set(fields) <= known, set(fields) - known

    [rule] = config.describe_config_rules()["ConfigRules"]
    assert rule["Source"]["SourceIdentifier"] == "ACCESS_KEYS_ROTATED"
    lab.deploy(name, template, MaxKeyAgeInDays=0)
    assert config.describe_config_rules()["ConfigRules"] == []

    assert lab.delete(name) == "DELETE_COMPLETE"
    assert cloudwatch.describe_alarms()["MetricAlarms"] == []
    assert lab.logs.describe_metric_filters(logGroupName=LOG_GROUP)["metricFilters"] == []


def synthesized(directory: Path) -> Path:
    """The template of the CDK app."""
    python = Path(os.environ.get("CDK_PYTHON", sys.executable))
    # The CDK's own Node.js first, as in an activated environment.
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        [python, "app.py"],
        cwd=EXAMPLES / "cdk",
        env={**os.environ, "PATH": path, "CDK_OUTDIR": str(directory / "cdk.out"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=170,
    )
    hint = "run `make .venv/cdk/installed`, and set CDK_PYTHON=$PWD/.venv/cdk/bin/python"
    assert run.returncode == 0, f"{run.stderr}\nWithout the CDK, {hint}"
    return next(directory.glob("cdk.out/*.template.json"))


def test_a_cdk_app_deploys_a_key_of_the_type_under_its_registered_name(lab: Lab, name: str, tmp_path: Path) -> None:
    template = synthesized(tmp_path)
    first = lab.deploy(name, template)
    resources = json.loads(template.read_text())["Resources"]
    user = lab.resource(name, next(name for name in resources if name.startswith("User")))
    assert lab.keys(user) == {first["AccessKeyId"]: "Active"}
    assert lab.stored(first["SecretArn"])["AccessKeyId"] == first["AccessKeyId"]

    rotated = edited(template, tmp_path, '"Serial": 1', '"Serial": 2')
    second = lab.deploy(name, rotated)
    assert lab.keys(user) == {second["AccessKeyId"]: "Active"}
    assert first["AccessKeyId"] != second["AccessKeyId"]

    delete(lab, name, user, second["AccessKeyId"])


def test_there_is_no_example_that_no_test_deploys() -> None:
    deployed = set(re.findall(r'EXAMPLES / "([\w-]+\.yml)"', Path(__file__).read_text()))
    assert deployed == {path.name for path in EXAMPLES.glob("*.yml")}
