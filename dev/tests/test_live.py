import os
import subprocess
import sys

import boto3
from ports import HOST
from surroundings import ROOT, aws


def test_a_live_run_finds_no_disagreement_on_moto_and_leaves_nothing_but_what_was_there() -> None:
    with aws() as port:
        endpoint = f"http://{HOST}:{port}"
        iam, secrets = (boto3.client(name, endpoint_url=endpoint) for name in ("iam", "secretsmanager"))
        # What an aborted run left, and what is somebody else's.
        iam.create_user(UserName="iam-access-key-live-0", Path="/iam-access-key-live/")
        iam.create_access_key(UserName="iam-access-key-live-0")
        secrets.create_secret(Name="iam-access-key-live/AKIA0", SecretString="left")
        iam.create_user(UserName="alice")
        iam.create_access_key(UserName="alice")
        secrets.create_secret(Name="alice", SecretString="hers")

        command = [sys.executable, str(ROOT / "dev/live.py"), "--watch", "1"]
        environment = os.environ | {"AWS_ENDPOINT_URL": endpoint, "YES": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=170, check=False)

        assert done.returncode == 0, done.stdout + done.stderr
        assert "NOT AS TOLD" not in done.stdout and done.stdout.count("ok:") >= 15, done.stdout
        assert [user["UserName"] for user in iam.list_users()["Users"]] == ["alice"]
        assert len(iam.list_access_keys(UserName="alice")["AccessKeyMetadata"]) == 1
        assert [secret["Name"] for secret in secrets.list_secrets(IncludePlannedDeletion=True)["SecretList"]] == [
            "alice"
        ]


def test_a_live_run_on_an_account_that_is_not_motos_touches_nothing_without_a_yes() -> None:
    # An address that nobody knows for moto's.
    with aws("127.0.0.2") as port:
        endpoint = f"http://127.0.0.2:{port}"
        environment = os.environ | {"AWS_ENDPOINT_URL": endpoint}
        environment.pop("YES", None)
        done = subprocess.run(
            [sys.executable, str(ROOT / "dev/live.py")],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert "account 123456789012, region us-east-1" in done.stdout and "nothing was touched" in done.stderr
        assert "earlier run" not in done.stdout
