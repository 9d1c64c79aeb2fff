import hashlib
import io
import json
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cfn_engine.handlers import invoke
from checkout import ROOT, SCHEMA
from local_aws import aws, function, invocations
from package import RefusedTypeNameError, check_type_name, package
from projects import create_users
from sam_events import sam_events
from schema_rules import read

TYPE_NAME = "Acme::IAM::AccessKey"


@pytest.fixture(scope="module")
def stages() -> Iterator[Path]:
    # As deep as target/package, and this process's own: others may run tests of this module at the same time.
    with TemporaryDirectory(dir=ROOT / "target") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def made(stages: Path) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(package(TYPE_NAME, stages=stages)) as made:
        yield made


def test_the_package_holds_what_the_registry_reads_and_nothing_else(made: zipfile.ZipFile) -> None:
    read = {".cfn_metadata.json", ".rpdk-config", "configuration-schema.json", "handler.zip", "schema.json"}
    inputs = {f"inputs/inputs_{number}_{use}.json" for number in (1, 2) for use in ("create", "invalid", "update")}
    assert set(made.namelist()) == read | inputs


def test_the_package_of_one_binary_is_always_the_same_bytes(made: zipfile.ZipFile, stages: Path) -> None:
    first = hashlib.sha256(Path(str(made.filename)).read_bytes()).hexdigest()
    assert hashlib.sha256(package(TYPE_NAME, stages=stages).read_bytes()).hexdigest() == first


def test_the_schema_in_the_package_is_the_projects_under_the_other_name(made: zipfile.ZipFile) -> None:
    own = read(SCHEMA)
    assert json.loads(made.read("schema.json")) == {**own, "typeName": TYPE_NAME}


def test_the_settings_in_the_package_are_the_projects_under_the_other_name(made: zipfile.ZipFile) -> None:
    settings = json.loads(made.read(".rpdk-config"))
    own = json.loads((ROOT / ".rpdk-config").read_text())
    own["settings"]["binary"] = "../../lambda/iam-access-key/bootstrap"
    assert settings == {**own, "typeName": TYPE_NAME}


def test_the_bootstrap_inside_the_package_answers_the_sam_events(made: zipfile.ZipFile, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(made.read("handler.zip"))) as handler:
        assert handler.namelist() == ["bootstrap"]
        assert handler.getinfo("bootstrap").external_attr >> 16 == stat.S_IFREG | 0o755
        binary = Path(handler.extract("bootstrap", tmp_path))
    binary.chmod(0o755)
    with aws() as endpoint, function(binary, endpoint) as api:
        create_users(endpoint)
        url = invocations(api)
        created, read, updated, listed, deleted = sam_events(lambda event: invoke(url, event))
    assert read == created
    assert updated["resourceModel"] == {**created["resourceModel"], "Status": "Inactive"}
    assert [(key["Id"], key["Status"]) for key in listed["resourceModels"]] == [
        (created["resourceModel"]["Id"], "Inactive")
    ]
    assert deleted == {"status": "SUCCESS"}


@pytest.mark.parametrize(
    ("type_name", "reason"),
    [
        ("AWS::IAM::AccessKey", "AWS is reserved"),
        ("aws::IAM::AccessKey", "aws is reserved"),
        ("Amazon::IAM::AccessKey", "Amazon is reserved"),
        ("Alexa::IAM::AccessKey", "Alexa is reserved"),
        ("AMZN::IAM::AccessKey", "AMZN is reserved"),
        ("Custom::IAM::AccessKey", "Custom is reserved"),
        ("Dev::IAM::AccessKey", "Dev is reserved"),
        ("Acme::AccessKey", "three parts"),
        ("Acme::IAM::AccessKey::MODULE", "three parts"),
        ("Acme::IAM::Access-Key", "three parts"),
        ("Acme::IAM::K", "2 to 64"),
        ("Acme::IAM::AccessKey\n", "three parts"),
        ("../../Acme", "three parts"),
        ("", "three parts"),
    ],
)
def test_a_reserved_or_malformed_type_name_is_refused_with_the_reason(type_name: str, reason: str) -> None:
    with pytest.raises(RefusedTypeNameError, match=reason):
        check_type_name(type_name)


def test_make_package_refuses_a_reserved_name_without_a_traceback() -> None:
    command = [sys.executable, str(ROOT / "dev/package.py"), "AWS::IAM::AccessKey"]
    refusal = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60)
    assert refusal.returncode == 1
    assert refusal.stderr.startswith("AWS::IAM::AccessKey cannot be registered: AWS is reserved")
    assert "Traceback" not in refusal.stderr
