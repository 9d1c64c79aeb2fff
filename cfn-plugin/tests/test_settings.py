import pytest
from cfn_project import Project


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("schemaCommand", ["cargo", "run"], '["cargo", "run"]'),
        ("schemaCommand", "", '""'),
        ("buildCommand", None, "null"),
        ("binary", 7, "7"),
        ("binary", " ", '" "'),
    ],
)
def test_a_setting_that_is_no_string_or_empty_is_refused_with_an_example(
    project: Project, name: str, value: object, shown: str
) -> None:
    project.write_settings({name: value})
    message = project.cfn_refuses("submit", "--dry-run")
    assert f'"{name}" in the settings of .rpdk-config is {shown}, but has to be a string that is not empty' in message
    assert 'as in "' in message


def test_a_schema_command_with_an_open_quotation_is_refused(project: Project) -> None:
    project.write_settings({"schemaCommand": "cargo run 'one"})
    message = project.cfn_refuses("generate")
    assert '"schemaCommand" in the settings of .rpdk-config is "cargo run \'one", which is no command' in message


def test_a_schema_command_that_is_not_installed_is_named_with_the_setting(project: Project) -> None:
    project.write_settings({"schemaCommand": "no-such-tool schema"})
    message = project.cfn_refuses("generate")
    assert "no-such-tool cannot be run (No such file or directory)" in message
    assert 'name another command as "schemaCommand" in the settings of .rpdk-config' in message


def test_settings_are_optional(project: Project) -> None:
    project.write_settings()
    project.cfn("generate")
    project.cfn("submit", "--dry-run")
