"""The commands of docs/from-amazons-type.md, in order and as they stand there."""

import json
import os
import subprocess
from pathlib import Path

from checkout import ROOT, TOOLS
from lab import EXAMPLES, Lab, laboratory
from pages import commands


def play(text: str, lab: Lab, folder: Path = ROOT) -> str:
    """Run the commands of a page, or of a part of it, in one shell, and return what they print."""
    environment = {**os.environ, "AWS_ENDPOINT_URL": lab.endpoint, "PATH": f"{TOOLS}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-e", "-u", "-o", "pipefail", "-c", "\n".join(commands(text))],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=170,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_key_of_amazons_type_moves_to_this_one_with_its_secret_and_rotates(tmp_path: Path) -> None:
    page = (ROOT / "docs/from-amazons-type.md").read_text()
    move, rest = page.split("**5. ")
    rotate = rest.split("## Without step 2")[0]
    # Amazon's type is moto's own here.
    with laboratory(tmp_path, "Acme::IAM::AccessKey") as lab:
        printed = play(move, lab)
        old, user = lab.resource("deploy", "DeployKey"), lab.resource("deploy", "Deployer")
        assert lab.keys(user) == {old: "Active"}
        assert str(lab.stack("deploy")["StackStatus"]) == "IMPORT_COMPLETE"
        secret, arn = lab.stored(str(lab.secret_of(old)))["SecretAccessKey"], lab.secret_of(old)
        model = lab.handle("READ", {"Id": old})["resourceModel"]
        assert (model["SecretAccessKey"], model["SecretArn"], model["Serial"]) == (secret, arn, 1)

        printed += play(rotate, lab, EXAMPLES / "from-amazons-type")
        outputs = lab.outputs("deploy")
        new = outputs["AccessKeyId"]
        assert new in printed and new != old
        assert len(secret) == 40 and secret not in printed + json.dumps(lab.events("deploy"))
        assert lab.keys(user) == {new: "Active"}
        assert lab.secret_of(old) is None
        assert lab.stored(outputs["SecretArn"])["Serial"] == 2

        assert lab.delete("deploy") == "DELETE_COMPLETE"
        assert lab.secret_of(new) is None and user not in lab.users()
