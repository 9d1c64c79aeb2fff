import json
import zipfile
from pathlib import Path

import pytest
from cfn_project import TYPE_NAME, Project, schema


def link_and_schema(project: Project) -> tuple[Path, Path]:
    return project.root / "acme-iam-accesskey.json", project.root / "schema" / "aws-iam-accesskey.json"


def test_generate_asks_the_model_for_the_schema_under_the_projects_type_name(project: Project) -> None:
    project.cfn("generate")
    assert project.cargo_calls() == [f"{project.root} run --quiet --example generate -- {TYPE_NAME}"]


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
    assert len(project.cargo_calls()) == 1


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
    project.cfn("generate")
    first = project.files()
    project.cfn("generate")
    assert project.files() == first


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
    assert "install it, put it on the PATH, or name another command" in message


def test_generate_repeats_what_cargo_complained_about(project: Project) -> None:
    _, file = link_and_schema(project)
    project.write_cargo(stderr="error: could not compile `access-key-schema`\n", status=101)
    message = project.cfn_refuses("generate")
    assert "`cargo run --quiet --example generate -- Acme::IAM::AccessKey` (" in message
    assert ") failed:\nerror: could not compile `access-key-schema`" in message
    assert file.read_text() == schema(TYPE_NAME)


@pytest.mark.parametrize("printed", ["", "not JSON", "{}", schema("THE_TYPE_NAME", primaryIdentifier=None)])
def test_an_invalid_schema_is_refused_before_it_replaces_the_valid_one(project: Project, printed: str) -> None:
    _, file = link_and_schema(project)
    project.write_cargo(printed)
    message = project.cfn_refuses("generate")
    assert "The schema of the Rust model is invalid: " in message
    assert file.read_text() == schema(TYPE_NAME)


def test_generate_runs_the_schema_command_of_the_settings(project: Project) -> None:
    project.write_settings({"schemaCommand": "cargo run --bin 'write schema' --"})
    project.cfn("generate")
    assert project.cargo_calls() == [f"{project.root} run --bin write schema -- {TYPE_NAME}"]


def test_a_type_under_aws_is_documented_under_a_name_that_readers_can_register(project: Project) -> None:
    own = "AWS::IAM::AccessKey"
    project.write_settings(type_name=own)
    (project.root / "aws-iam-accesskey.json").write_text(schema(own, description="An older model."))
    project.cfn("generate")
    assert (project.root / "aws-iam-accesskey.json").read_text() == schema(own)
    reference = (project.root / "docs" / "README.md").read_text()
    assert reference.startswith("# Acme::IAM::AccessKey\n") and "AWS::IAM" not in reference
    assert "type/resource/Acme-IAM-AccessKey/*" in (project.root / "resource-role.yaml").read_text()


def test_pages_by_hand_stay_beside_the_type_reference(project: Project) -> None:
    docs = project.root / "docs"
    (docs / "pictures").mkdir(parents=True)
    (docs / "README.md").write_text("a type reference that is out of date")
    (docs / "install.md").write_text("by hand")
    (docs / "pictures" / "life.svg").write_text("drawn by hand")
    (docs / "link.md").symlink_to("nowhere.md")
    project.cfn("generate")
    assert (docs / "README.md").read_text().startswith(f"# {TYPE_NAME}\n")
    assert (docs / "install.md").read_text() == "by hand"
    assert (docs / "pictures" / "life.svg").read_text() == "drawn by hand"
    assert (docs / "link.md").readlink() == Path("nowhere.md")


def test_a_failing_schema_command_leaves_every_page(project: Project) -> None:
    page = project.root / "docs" / "install.md"
    page.parent.mkdir()
    page.write_text("by hand")
    project.write_cargo(status=1)
    project.cfn_refuses("generate")
    assert page.read_text() == "by hand"
