from pathlib import Path

import pytest
from cfn_project import TYPE_NAME, Project, schema

REFUSAL = "The Rust plugin packages an existing Rust project and scaffolds nothing"
INIT = ["init", "--artifact-type", "RESOURCE", "--type-name", TYPE_NAME]


def files(project: Project) -> list[str]:
    """Return what lies in the project, but for the log that `cfn` always writes."""
    return sorted(str(path.relative_to(project.root)) for path in project.root.rglob("*") if path.name != "rpdk.log")


@pytest.mark.parametrize("force", [[], ["--force"]], ids=["asked", "forced"])
def test_init_with_language_rust_says_that_it_scaffolds_nothing_and_leaves_nothing(
    empty_project: Project, force: list[str]
) -> None:
    assert REFUSAL in empty_project.cfn_refuses(*INIT, *force)
    assert files(empty_project) == []


def test_init_rust_is_refused_before_the_cli_writes_anything(project: Project) -> None:
    (project.root / "example_inputs").mkdir()
    before = files(project)
    assert REFUSAL in project.cfn_refuses("init", "rust")
    assert files(project) == before


def test_init_keeps_a_schema_that_is_not_the_clis_example(empty_project: Project) -> None:
    own: Path = empty_project.root / "acme-iam-accesskey.json"
    own.write_text(schema(TYPE_NAME))
    assert REFUSAL in empty_project.cfn_refuses(*INIT)
    assert own.read_text() == schema(TYPE_NAME)


def test_generate_mends_the_schema_that_a_forced_init_overwrote(project: Project) -> None:
    settings = (project.root / ".rpdk-config").read_text()
    assert REFUSAL in project.cfn_refuses(*INIT, "--force")
    assert (project.root / ".rpdk-config").read_text() == settings
    project.cfn("generate")
    assert (project.root / "schema" / "aws-iam-accesskey.json").read_text() == schema(TYPE_NAME)
