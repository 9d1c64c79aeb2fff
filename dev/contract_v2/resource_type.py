"""The resource type as CloudFormation sees it: operations on its handlers, each until it has come to an end."""

from dataclasses import dataclass
from typing import Any

from cfn_engine.aws import ACCOUNT, REGION
from cfn_engine.handlers import Handlers, Scope, names
from schema_rules import Schema

from contract_v2.progress import Model, ProgressEvent

STACK = "arn:aws:cloudformation:us-east-1:123456789012:stack/contract-tests/5c2b1f60-8d1c-11ef-a1a3-0affd8b5f8a7"
SCOPE = Scope(ACCOUNT, REGION, STACK, "contract-tests")


@dataclass(frozen=True, repr=False)
class Read:
    """What READ answered, and the request that produced it; none for a key that was found by LIST."""

    model: Model
    desired: Model | None


class ResourceType:
    """The handlers behind a Lambda API, with all that READ has answered and all that CREATE has left."""

    def __init__(self, lambda_url: str, schema: Schema, **settings: Any) -> None:
        """Take where the handlers are invoked, and what else CloudFormation knows of the type (`Handlers`)."""
        self.schema = schema
        # Every answer counts: none is asked for again.
        self.handlers = Handlers(type_name=schema["typeName"], lambda_url=lambda_url, retries=0, **settings)
        self.reads: list[Read] = []
        self.existing: dict[str, Model] = {}

    @property
    def assigns_identifier(self) -> bool:
        """Whether the handlers make up the primary identifier, so that two equal templates are two resources."""
        return set(self.schema["primaryIdentifier"]) <= set(self.schema["readOnlyProperties"])

    def create(self, desired: Model) -> ProgressEvent:
        """Create a resource."""
        event = self._operation("CREATE", desired)
        if event.status == "SUCCESS":
            self.existing[self.identifier(event.model)] = event.model
        return event

    def read(self, model: Model, desired: Model | None = None) -> ProgressEvent:
        """Read a resource by its identifier alone, which is all that CloudFormation sends."""
        event = self._operation("READ", self._identifiers(model))
        if event.status == "SUCCESS":
            self.reads.append(Read(event.model, desired))
        return event

    def update(self, model: Model, desired: Model, previous: Model) -> ProgressEvent:
        """Update a resource to other desired properties."""
        identifiers = self._identifiers(model)
        return self._operation("UPDATE", {**desired, **identifiers}, {**previous, **identifiers})

    def delete(self, model: Model) -> ProgressEvent:
        """Delete a resource."""
        event = self._operation("DELETE", model)
        if event.status == "SUCCESS":
            self.existing.pop(self.identifier(model), None)
        return event

    def list(self) -> list[Model]:
        """Return what all pages of LIST name."""
        pages = [ProgressEvent("LIST", answer) for answer in self.handlers.pages(self._request("LIST", {}))]
        return [model for page in pages for model in page.succeeded().answer["resourceModels"]]

    def identifier(self, model: Model) -> str:
        """Return the primary identifier in a model."""
        values = self._identifiers(model).values()
        assert all(values), f"no primary identifier in a model with {sorted(model)}"
        return "|".join(values)

    def settable(self, model: Model) -> Model:
        """Return what a template can say of a model: the model less the read-only properties."""
        read_only = names(self.schema, "readOnlyProperties")
        return {name: value for name, value in model.items() if name not in read_only}

    def _identifiers(self, model: Model) -> Model:
        return {name: model.get(name, "") for name in names(self.schema, "primaryIdentifier")}

    def _operation(self, action: str, desired: Model, previous: Model | None = None) -> ProgressEvent:
        for answer in self.handlers.events(self._request(action, desired, previous)):
            event = ProgressEvent(action, answer)
            assert event.status != "IN_PROGRESS" or event.model
        return event

    def _request(self, action: str, desired: Model, previous: Model | None = None) -> Model:
        return self.handlers.request(action, SCOPE, "ContractTest", desired, previous)
