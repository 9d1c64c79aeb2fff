"""AWS's section "update handler tests"."""

from projects import InputSet

from contract_v2.progress import Model
from contract_v2.resource_type import ResourceType


def test_update(handlers: ResourceType, inputs: InputSet, created: Model) -> None:
    """An UPDATE with the update input succeeds."""
    handlers.update(created, inputs.update, inputs.create).succeeded()


def test_update_read(handlers: ResourceType, inputs: InputSet, updated: Model) -> None:
    """READ by the identifier that UPDATE answered succeeds."""
    handlers.read(updated, inputs.update).succeeded()


def test_update_primary_id_check(handlers: ResourceType, created: Model, updated: Model) -> None:
    """UPDATE answers with the identifier that CREATE answered with."""
    assert handlers.identifier(updated) == handlers.identifier(created)


def test_read_by_create_equals_read_by_update(
    handlers: ResourceType, inputs: InputSet, created: Model, updated: Model
) -> None:
    """READ by either identifier answers with the same model."""
    by_create = handlers.read(created, inputs.update).succeeded().model
    assert by_create == handlers.read(updated, inputs.update).succeeded().model


def test_update_list(handlers: ResourceType, updated: Model) -> None:
    """LIST succeeds after an UPDATE, and names the resource."""
    assert handlers.identifier(updated) in map(handlers.identifier, handlers.list())
