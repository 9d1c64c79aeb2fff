"""AWS's section "Schema validation tests"."""

import pytest
from projects import Project
from schema_rules import broken_compatibility, broken_rules, read


def test_schema_linter_checks(project: Project) -> None:
    """The schema keeps every rule that AWS reviews types with."""
    broken = [each for each in broken_rules(read(project.schema)) if each.partition(":")[0] not in project.exceptions]
    assert not broken, "\n".join(broken)


def test_schema_backward_compatibility_checks(project: Project) -> None:
    """Nothing that was valid with the last registered version has become invalid."""
    if project.released is None:
        pytest.skip("no version of it has been registered")
    broken = broken_compatibility(read(project.released), read(project.schema))
    assert not broken, "\n".join([*broken, f"see `diff {project.released} {project.schema}`"])
