from pathlib import Path

import pytest
from cfn_project import TYPE_NAME, Project, elf, schema


@pytest.fixture
def empty_project(tmp_path: Path) -> Project:
    project = Project(root=tmp_path / "project", tools=tmp_path / "tools")
    project.root.mkdir()
    project.tools.mkdir()
    return project


@pytest.fixture
def project(empty_project: Project) -> Project:
    """Return a project whose schema is current, is a link as the real one's is, and whose binary was built."""
    project = empty_project
    (project.root / "schema").mkdir()
    (project.root / "schema" / "aws-iam-accesskey.json").write_text(schema(TYPE_NAME))
    (project.root / "acme-iam-accesskey.json").symlink_to("schema/aws-iam-accesskey.json")
    project.write_settings()
    project.write_binary(elf())
    project.write_cargo(schema("THE_TYPE_NAME"))
    return project
