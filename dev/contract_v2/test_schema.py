"""AWS's section "Schema validation tests"."""

from schema_rules import RELEASED, broken_compatibility, broken_rules, read
from surroundings import ROOT, SCHEMA


def test_schema_linter_checks() -> None:
    """The schema keeps every rule that AWS reviews types with."""
    broken = broken_rules(read(SCHEMA))
    assert not broken, "\n".join(broken)


def test_schema_backward_compatibility_checks() -> None:
    """Nothing that was valid with the last registered version has become invalid."""
    broken = broken_compatibility(read(RELEASED), read(SCHEMA))
    assert not broken, "\n".join([*broken, f"see `diff {RELEASED.relative_to(ROOT)} {SCHEMA.relative_to(ROOT)}`"])
