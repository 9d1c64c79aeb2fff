import base64
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs

import live
import pytest
import yaml
from cfn_engine.aws import client
from checkout import ROOT
from local_aws import aws


def permissions(recording: str) -> set[str]:
    """What the calls in a recording of moto's need. Whoever has credentials may ask for their owner."""
    needed = set()
    for line in recording.splitlines():
        request = json.loads(line)
        headers = {name.lower(): value for name, value in request["headers"].items()}
        form = parse_qs(base64.b64decode(request["body"]).decode())
        service = headers["authorization"].split("/")[3]
        [operation] = form.get("Action", [headers.get("x-amz-target", "").rpartition(".")[2]])
        needed.add(f"{service}:{operation}")
    return needed - {"sts:GetCallerIdentity"}


def live_run(endpoint: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `make live`, which nobody answers, in the account at an endpoint."""
    own = {name: value for name, value in os.environ.items() if name != "YES"}
    return subprocess.run(
        [sys.executable, ROOT / "dev/live.py", "--watch", "1"],
        env={**own, "AWS_ENDPOINT_URL": endpoint, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


def test_a_live_run_on_moto_agrees_needs_what_it_names_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = tmp_path / "recording"
    monkeypatch.setenv("MOTO_RECORDER_FILEPATH", str(recording))
    with aws() as endpoint:
        iam, secrets = client("iam", endpoint), client("secretsmanager", endpoint)
        # What an aborted run left, and what is somebody else's.
        iam.create_user(UserName="iam-access-key-live-0", Path="/iam-access-key-live/")
        iam.create_access_key(UserName="iam-access-key-live-0")
        secrets.create_secret(Name="iam-access-key-live/AKIA0", SecretString="left")
        iam.create_user(UserName="alice")
        iam.create_access_key(UserName="alice")
        secrets.create_secret(Name="alice", SecretString="hers")

        urllib.request.urlopen(f"{endpoint}/moto-api/recorder/start-recording", b"").close()
        done = live_run(endpoint, YES="1")

        assert done.returncode == 0, done.stdout + done.stderr
        assert "NOT AS TOLD" not in done.stdout and done.stdout.count("ok:") >= 15, done.stdout
        urllib.request.urlopen(f"{endpoint}/moto-api/recorder/stop-recording", b"").close()
        [policy] = yaml.safe_load((ROOT / "resource-role.yaml").read_text())["Resources"]["ExecutionRole"][
            "Properties"
        ]["Policies"]
        [statement] = policy["PolicyDocument"]["Statement"]
        assert permissions(recording.read_text()) - set(statement["Action"]) == set(live.PERMISSIONS)
        named = [*live.PERMISSIONS, "resource-role.yaml"]
        assert all(name in (live.__doc__ or "") and name in done.stdout for name in named)
        assert [user["UserName"] for user in iam.list_users()["Users"]] == ["alice"]
        assert len(iam.list_access_keys(UserName="alice")["AccessKeyMetadata"]) == 1
        # The records of CREATE that are over go by themselves.
        assert [secret["Name"] for secret in secrets.list_secrets()["SecretList"]] == ["alice"]


def test_a_live_run_on_a_real_account_touches_nothing_without_a_yes() -> None:
    # An address that nobody knows for moto's.
    with aws("127.0.0.2") as endpoint:
        done = live_run(endpoint)
        assert done.returncode == 1
        assert "account 123456789012, region us-east-1" in done.stdout and "nothing was touched" in done.stderr
        assert "earlier run" not in done.stdout
