import json
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cfn_project import TYPE_NAME, Project, schema
from rpdk_rust import RustLanguagePlugin


def link_and_schema(project: Project) -> tuple[Path, Path]:
    return project.root / "acme-iam-accesskey.json", project.root / "schema" / "aws-iam-accesskey.json"


def test_generate_asks_the_model_for_the_schema_under_the_projects_type_name(project: Project) -> None:
    project.cfn("generate")
    assert project.cargo_calls() == [
        f"{project.root} run --quiet --package access-key-schema --example generate -- {TYPE_NAME}"
    ]


def test_generate_leaves_a_current_schema_untouched(project: Project) -> None:
    _, file = link_and_schema(project)
    before = file.stat()
    assert "Wrote" not in project.cfn("generate")
    assert file.stat().st_mtime_ns == before.st_mtime_ns


def test_generate_writes_a_stale_schema_through_the_link_and_keeps_the_link(project: Project) -> None:
    link, file = link_and_schema(project)
    file.write_text(schema("AWS::IAM::AccessKey"))
    assert "Wrote acme-iam-accesskey.json from the Rust model." in project.cfn("generate")
    assert link.is_symlink()
    assert file.read_text() == schema(TYPE_NAME)


def test_one_generate_makes_the_role_and_the_type_reference_from_the_new_schema(project: Project) -> None:
    project.write_cargo(
        schema(
            "THE_TYPE_NAME",
            properties={"Id": {"type": "string"}, "Serial": {"type": "integer", "description": "Rotates the key."}},
            handlers={"create": {"permissions": ["iam:ListAccessKeys"]}},
        )
    )
    project.cfn("generate")
    role = (project.root / "resource-role.yaml").read_text()
    assert "iam:ListAccessKeys" in role and "iam:CreateAccessKey" not in role
    reference = (project.root / "docs" / "README.md").read_text()
    assert "Rotates the key." in reference and "UserName" not in reference


def test_a_second_generate_changes_nothing(project: Project) -> None:
    project.write_cargo(schema("THE_TYPE_NAME", description="A newer model."))

    def files() -> dict[Path, bytes]:
        log = project.root / "rpdk.log"
        return {path: path.read_bytes() for path in project.root.rglob("*") if path.is_file() and path != log}

    project.cfn("generate")
    first = files()
    project.cfn("generate")
    assert files() == first


def test_the_package_carries_the_type_configuration_schema_of_the_model(project: Project) -> None:
    fresh = {"properties": {"SecretNamePrefix": {"type": "string"}}, "additionalProperties": False}
    project.write_cargo(schema("THE_TYPE_NAME", typeConfiguration=fresh))
    project.cfn("generate")
    project.cfn("submit", "--dry-run")
    with zipfile.ZipFile(project.root / "acme-iam-accesskey.zip") as package:
        configuration = json.loads(package.read("configuration-schema.json"))
    assert configuration["properties"] == fresh["properties"]
    assert configuration["typeName"] == TYPE_NAME


def test_generate_without_cargo_says_what_is_missing(project: Project) -> None:
    (project.tools / "cargo").unlink()
    message = project.cfn_refuses("generate")
    assert "cargo cannot be run (No such file or directory)" in message
    assert "install Rust" in message


def test_generate_repeats_what_cargo_complained_about(project: Project) -> None:
    _, file = link_and_schema(project)
    project.write_cargo(stderr="error: could not compile `access-key-schema`\n", status=101)
    message = project.cfn_refuses("generate")
    assert "generate -- Acme::IAM::AccessKey` failed:\nerror: could not compile `access-key-schema`" in message
    assert file.read_text() == schema(TYPE_NAME)


@pytest.mark.parametrize("printed", ["", "not JSON", "{}", schema("THE_TYPE_NAME", primaryIdentifier=None)])
def test_an_invalid_schema_is_refused_before_it_replaces_the_valid_one(project: Project, printed: str) -> None:
    _, file = link_and_schema(project)
    project.write_cargo(printed)
    message = project.cfn_refuses("generate")
    assert "The schema of the Rust model is invalid: " in message
    assert file.read_text() == schema(TYPE_NAME)


def test_generate_starts_the_cli_over_exactly_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(project.tools))
    plugin = RustLanguagePlugin()
    link, file = link_and_schema(project)
    file.write_text(schema("AWS::IAM::AccessKey"))
    seen: list[Any] = []

    def generate_again() -> None:
        seen.append(stub.schema["typeName"])
        plugin.generate(stub)

    stub = SimpleNamespace(
        root=project.root,
        type_name=TYPE_NAME,
        schema_path=link,
        schema_filename=link.name,
        load_configuration_schema=lambda: None,
        generate=generate_again,
    )
    plugin.generate(stub)
    assert seen == [TYPE_NAME]
    assert len(project.cargo_calls()) == 1
