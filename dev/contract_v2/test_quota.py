"""What AWS's list leaves open for a type of which a user holds two: whether a third ever lives beside two others."""

import pytest
from projects import InputSet

from contract_v2.progress import Model
from contract_v2.resource_type import ResourceType

pytestmark = pytest.mark.usefixtures("assigned_identifier")


def test_a_third_key_beside_two_is_refused_and_leaves_both(
    handlers: ResourceType, inputs: InputSet, created: Model
) -> None:
    """While two keys live, a third CREATE fails with `ServiceLimitExceeded`. Both are still read."""
    second = handlers.create(inputs.create).succeeded().model
    before = handlers.list()
    handlers.create(handlers.settable(created)).failed("ServiceLimitExceeded")
    for model in (created, second):
        assert handlers.read(model, inputs.create).succeeded().model == model
    assert handlers.list() == before


def test_a_third_key_after_the_second_is_deleted_is_created(
    handlers: ResourceType, inputs: InputSet, created: Model
) -> None:
    """Once the second key is deleted, the third CREATE succeeds."""
    handlers.delete(handlers.create(inputs.create).succeeded().model).succeeded()
    third = handlers.create(handlers.settable(created)).succeeded().model
    assert handlers.read(third, inputs.create).succeeded().model == third
