"""AWS's section "list handler tests"."""

from contract_v2.progress import Model
from contract_v2.resource_type import ResourceType


def test_create_list(handlers: ResourceType, created: Model) -> None:
    """LIST succeeds after a CREATE, and names the resource."""
    assert handlers.identifier(created) in map(handlers.identifier, handlers.list())


def test_create_list_read(handlers: ResourceType, created: Model) -> None:
    """READ succeeds for every identifier that LIST names, those of strangers too."""
    listed = handlers.list()
    assert len(listed) > len(handlers.existing), "there are no strangers' resources in the account"
    for model in listed:
        handlers.read(model).succeeded()
