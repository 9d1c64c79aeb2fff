import copy
from typing import Any

import pytest
from schema_rules import RELEASED, broken_compatibility, read


@pytest.fixture
def schema() -> dict[str, Any]:
    return copy.deepcopy(dict(read(RELEASED)))


def broken(schema: dict[str, Any]) -> str:
    (only,) = broken_compatibility(read(RELEASED), schema)
    return only


def test_a_tighter_pattern_breaks_compatibility(schema: dict[str, Any]) -> None:
    schema["properties"]["UserName"]["pattern"] = "^[a-z]+$"
    assert broken(schema).startswith("ensure_property_string_pattern_not_changed: ")


def test_a_removed_setting_of_the_type_configuration_breaks_compatibility(schema: dict[str, Any]) -> None:
    del schema["typeConfiguration"]["properties"]["KmsKeyId"]
    assert broken(schema).startswith("ensure_old_property_not_removed: ")


def test_a_new_property_breaks_nothing(schema: dict[str, Any]) -> None:
    schema["properties"]["Description"] = {"type": "string", "minLength": 1, "pattern": "^[a-z]*$"}
    assert broken_compatibility(read(RELEASED), schema) == []
