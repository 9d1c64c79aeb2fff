"""AWS's section "create handler tests"."""

import pytest
from projects import InputSet

from contract_v2.progress import Model
from contract_v2.resource_type import ResourceType


def test_create(handlers: ResourceType, inputs: InputSet) -> None:
    """A CREATE succeeds, and its model has the primary identifier."""
    assert handlers.identifier(handlers.create(inputs.create).succeeded().model)


def test_create_create(handlers: ResourceType, inputs: InputSet, created: Model) -> None:
    """A second CREATE of the same properties is refused with `AlreadyExists`; or it succeeds, and the next row applies.

    It succeeds where the identifier is read-only, so that two equal templates are two resources.
    """
    second = handlers.create(inputs.create)
    assert second.succeeded() if handlers.assigns_identifier else second.failed("AlreadyExists")


@pytest.mark.usefixtures("assigned_identifier")
def test_create_create_primary_id_check(handlers: ResourceType, inputs: InputSet, created: Model) -> None:
    """A second CREATE that succeeds has made another resource, and has not adopted the first."""
    second = handlers.create(inputs.create).succeeded().model
    assert handlers.identifier(second) != handlers.identifier(created)


def test_create_read(handlers: ResourceType, inputs: InputSet, created: Model) -> None:
    """After a second CREATE, and after that resource is deleted again, READ still answers with the first."""
    second = handlers.create(inputs.create)
    beside_it = handlers.read(created, inputs.create).succeeded().model
    if handlers.assigns_identifier:
        handlers.delete(second.succeeded().model).succeeded()
    after_it = handlers.read(created, inputs.create).succeeded().model
    assert beside_it == after_it == created


def test_create_create_read(handlers: ResourceType, inputs: InputSet, created: Model) -> None:
    """READ succeeds right after CREATE."""
    handlers.read(created, inputs.create).succeeded()


def test_create_with_read_response_lcs(handlers: ResourceType, inputs: InputSet, created: Model) -> None:
    """What READ answers, less the read-only properties, can be created."""
    desired = handlers.settable(handlers.read(created, inputs.create).succeeded().model)
    if not handlers.assigns_identifier:
        handlers.delete(created).succeeded()
    handlers.create(desired).succeeded()
