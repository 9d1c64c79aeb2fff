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
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import cfn_yaml
from lab import EXAMPLES, LOG_GROUP, Failed, Lab


def edited(template: Path, directory: Path, old: str, new: str) -> Path:
    """The template as somebody edited it."""
    text = template.read_text()
    assert old in text
    copy = directory / template.name
    copy.write_text(text.replace(old, new, 1))
    return copy


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

    assert lab.delete(name) == "DELETE_COMPLETE"
    assert user not in lab.users()
    assert lab.secret_of(key) is None


def test_rotation_points_the_application_at_the_new_secret_and_deletes_the_old_key(lab: Lab, name: str) -> None:
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

    assert lab.delete(name) == "DELETE_COMPLETE"
    assert user not in lab.users()
    assert lab.secret_of(second["AccessKeyId"]) is None


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

    assert lab.delete(name) == "DELETE_COMPLETE"
    assert user not in lab.users()
    assert lab.secret_of(old) is None and lab.secret_of(key) is None


def test_two_keys_live_side_by_side_on_one_user(lab: Lab, name: str) -> None:
    template = EXAMPLES / "two-keys.yml"
    outputs = lab.deploy(name, template)
    user, in_use, reserve = (lab.resource(name, part) for part in ("User", "InUse", "Reserve"))
    assert lab.keys(user) == {in_use: "Active", reserve: "Inactive"}
    assert lab.stored(outputs["ReserveSecretArn"])["AccessKeyId"] == reserve

    assert lab.deploy(name, template, ReserveStatus="Active") == outputs
    assert lab.keys(user) == {in_use: "Active", reserve: "Active"}

    assert lab.delete(name) == "DELETE_COMPLETE"
    assert user not in lab.users()
    assert lab.secret_of(in_use) is None and lab.secret_of(reserve) is None


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

    assert lab.delete(name) == "DELETE_COMPLETE"
    assert user not in lab.users()
    assert lab.secret_of(of_alice["AccessKeyId"]) is None and lab.secret_of(key) is None


def smtp_password(secret: str, region: str) -> str:
    """The password as the SES documentation derives it."""
    signature = f"AWS4{secret}".encode()
    for part in ("11111111", region, "ses", "aws4_request", "SendRawEmail"):
        signature = hmac.digest(signature, part.encode(), "sha256")
    return base64.b64encode(b"\x04" + signature).decode()


def test_ses_smtp_hands_on_the_smtp_credentials_of_the_region(lab: Lab, name: str) -> None:
    keys = []
    for region, parameters in (("eu-central-1", {}), ("us-west-2", {"SesRegion": "us-west-2"})):
        outputs = lab.deploy(name, EXAMPLES / "ses-smtp.yml", **parameters)
        keys.append(key := outputs["SmtpUserName"])
        password = smtp_password(lab.stored(str(lab.secret_of(key)))["SecretAccessKey"], region)
        host = f"email-smtp.{region}.amazonaws.com"
        smtp = {"host": host, "port": 587, "username": key, "password": password}
        assert lab.stored(outputs["SmtpSecretArn"]) == smtp
    user = lab.resource(name, "User")
    assert lab.keys(user) == {keys[1]: "Active"}, "another region has replaced the key"

    assert lab.delete(name) == "DELETE_COMPLETE"
    assert user not in lab.users()
    assert lab.secret_of(keys[0]) is None and lab.secret_of(keys[1]) is None
    with pytest.raises(lab.secrets.exceptions.ResourceNotFoundException):
        lab.stored(outputs["SmtpSecretArn"])


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
    lab.deny("CreateSecret", "DeleteAccessKey")
    with pytest.raises(Failed):
        lab.deploy(f"{name}-fails", EXAMPLES / "basic.yml")
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
    [left] = [line for line in lines if fits(counted["filterPattern"], line)]
    assert left["message"] == "key of a failed CREATE is left" and left["access_key_id"]
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

    assert lab.delete(name) == "DELETE_COMPLETE"
    assert user not in lab.users()
    assert lab.secret_of(second["AccessKeyId"]) is None


def test_there_is_no_example_that_no_test_deploys() -> None:
    deployed = set(re.findall(r'EXAMPLES / "([\w-]+\.yml)"', Path(__file__).read_text()))
    assert deployed == {path.name for path in EXAMPLES.glob("*.yml")}
