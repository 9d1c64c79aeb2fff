"""AWS's section "delete handler tests"."""

from projects import InputSet

from contract_v2.progress import Model
from contract_v2.resource_type import ResourceType


def test_create_delete(handlers: ResourceType, created: Model) -> None:
    """A DELETE of what was created succeeds."""
    handlers.delete(created).succeeded()


def test_delete_read(handlers: ResourceType, deleted: Model) -> None:
    """READ of a deleted resource fails with `NotFound`."""
    handlers.read(deleted).failed("NotFound")


def test_delete_update(handlers: ResourceType, inputs: InputSet, deleted: Model) -> None:
    """UPDATE of a deleted resource fails with `NotFound`."""
    handlers.update(deleted, inputs.update, inputs.create).failed("NotFound")


def test_delete_delete(handlers: ResourceType, deleted: Model) -> None:
    """DELETE of a deleted resource fails with `NotFound`."""
    handlers.delete(deleted).failed("NotFound")


def test_delete_list(handlers: ResourceType, deleted: Model) -> None:
    """LIST does not name a deleted resource."""
    assert handlers.identifier(deleted) not in map(handlers.identifier, handlers.list())


def test_delete_create(handlers: ResourceType, inputs: InputSet, deleted: Model) -> None:
    """The same can be created again: no `AlreadyExists`, no `InternalFailure`."""
    handlers.create(inputs.create).succeeded()
