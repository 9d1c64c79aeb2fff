"""AWS's section "read output tests": of every answer of READ so far, those in the other scenarios too."""

import json
from typing import Any

import pytest
from cfn_engine.handlers import names
from jsonschema import Draft7Validator
from projects import InputSet, Project
from schema_rules import Schema

from contract_v2.progress import Model
from contract_v2.property_paths import declared, present
from contract_v2.resource_type import Read, ResourceType


def live_and_read(handlers: ResourceType, inputs: InputSet) -> None:
    """Create and update a resource, read it after either, and read all that LIST names."""
    created = handlers.create(inputs.create).succeeded().model
    handlers.read(created, inputs.create).succeeded()
    updated = handlers.update(created, inputs.update, inputs.create).succeeded().model
    handlers.read(updated, inputs.update).succeeded()
    for model in handlers.list():
        handlers.read(model).succeeded()


@pytest.fixture
def reads(handlers: ResourceType, inputs: InputSet) -> list[Read]:
    """What READ has answered for this input set's resources, and for what LIST has named."""
    live_and_read(handlers, inputs)
    return [each for each in handlers.reads if each.desired in (None, inputs.create, inputs.update)]


def differences(schema: Schema, desired: Model, answered: Model) -> list[str]:
    """Return in which properties an answer has less than the request, or something else."""
    asked = {name: value for name, value in desired.items() if name not in names(schema, "writeOnlyProperties")}
    return [
        f"{name}: asked for {value}, READ answers {answered.get(name)}"
        for name, value in asked.items()
        if in_order(schema, name, answered.get(name)) != in_order(schema, name, value)
    ]


def in_order(schema: Schema, name: str, value: Any) -> Any:
    """Return a value that can be compared: where the schema says that the order means nothing, it is sorted."""
    ordered = schema["properties"][name].get("insertionOrder", True)
    return value if ordered or not isinstance(value, list) else sorted(value, key=json.dumps)


def test_read_input_output_negative_match(handlers: ResourceType, reads: list[Read]) -> None:
    """READ answers with no property less than the request had, and with no other value."""
    asked = [(each.desired, each.model) for each in reads if each.desired]
    assert asked
    assert [differences(handlers.schema, desired, model) for desired, model in asked] == [[]] * len(asked)


def test_read_return_readonly_properties(handlers: ResourceType, reads: list[Read]) -> None:
    """READ answers with every property in `readOnlyProperties`."""
    read_only = set(names(handlers.schema, "readOnlyProperties"))
    missing = {handlers.identifier(each.model): sorted(read_only - each.model.keys()) for each in reads}
    assert {key: properties for key, properties in missing.items() if properties} == {}


def test_read_return_write_only_properties(handlers: ResourceType, reads: list[Read]) -> None:
    """READ answers with no property in `writeOnlyProperties`. The schema has none."""
    write_only = set(names(handlers.schema, "writeOnlyProperties"))
    assert [sorted(write_only & each.model.keys()) for each in reads] == [[]] * len(reads)


def test_read_output_over_schema(handlers: ResourceType, reads: list[Read]) -> None:
    """READ answers with a model that the schema allows."""
    validator = Draft7Validator(handlers.schema)
    errors = {handlers.identifier(each.model): list(validator.iter_errors(each.model)) for each in reads}
    broken = {key: [f"{error.json_path}: {error.message}" for error in found] for key, found in errors.items() if found}
    assert broken == {}


def test_read_return_all_schema_properties_using_one_or_more_inputs(project: Project, handlers: ResourceType) -> None:
    """All answers of READ together have every property of the schema. Here, with a value that is not empty."""
    for inputs in project.input_sets():
        live_and_read(handlers, inputs)
    answered = {path for each in handlers.reads for path in present(each.model)}
    assert declared(handlers.schema) - answered == set()
