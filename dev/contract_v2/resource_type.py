"""The resource type as CloudFormation sees it: operations on its handlers, each until it has come to an end."""

import json
import time
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schema_rules import Schema
from surroundings import REGION

from contract_v2.progress import Model, ProgressEvent
from inputs import VARIABLES

# How long CloudFormation waits for one answer, in seconds (resource type handler contract).
ANSWER_SECONDS = {"CREATE": 60, "UPDATE": 60, "DELETE": 60, "READ": 30, "LIST": 30}
MAX_INVOCATIONS = 20
# moto takes any.
ANY_CREDENTIALS = {"accessKeyId": "local", "secretAccessKey": "local", "sessionToken": "local"}
STACK = "arn:aws:cloudformation:us-east-1:123456789012:stack/contract-tests/5c2b1f60-8d1c-11ef-a1a3-0affd8b5f8a7"


@dataclass(frozen=True, repr=False)
class Read:
    """What READ answered, and the request that produced it; none for a key that was found by LIST."""

    model: Model
    desired: Model | None


@dataclass
class ResourceType:
    """The handlers behind a Lambda API, with all that READ has answered and all that CREATE has left."""

    url: str
    schema: Schema = field(repr=False)
    credentials: Mapping[str, str] = field(default_factory=lambda: ANY_CREDENTIALS, repr=False)
    settings: Mapping[str, Any] | None = None
    reads: list[Read] = field(default_factory=list, repr=False)
    existing: dict[str, Model] = field(default_factory=dict, repr=False)

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
        models: list[Model] = []
        token: str | None = None
        while True:
            answer = self._operation("LIST", {}, next_token=token).succeeded().answer
            models += answer["resourceModels"]
            token = answer.get("nextToken")
            if token is None:
                return models

    def identifier(self, model: Model) -> str:
        """Return the primary identifier in a model."""
        values = self._identifiers(model).values()
        assert all(values), f"no primary identifier in a model with {sorted(model)}"
        return "|".join(values)

    def settable(self, model: Model) -> Model:
        """Return what a template can say of a model: the model less the read-only properties."""
        read_only = names(self.schema["readOnlyProperties"])
        return {name: value for name, value in model.items() if name not in read_only}

    def _identifiers(self, model: Model) -> Model:
        return {name: model.get(name, "") for name in names(self.schema["primaryIdentifier"])}

    def _operation(
        self, action: str, desired: Model, previous: Model | None = None, next_token: str | None = None
    ) -> ProgressEvent:
        request: dict[str, Any] = {
            "action": action,
            "awsAccountId": VARIABLES["account"],
            # Another operation each time: two equal CREATEs are two resources.
            "bearerToken": str(uuid.uuid4()),
            "region": REGION,
            "resourceType": self.schema["typeName"],
            "resourceTypeVersion": "00000001",
            "stackId": STACK,
            "callbackContext": None,
            "nextToken": next_token,
            "requestData": {
                "callerCredentials": self.credentials,
                "typeConfiguration": self.settings,
                "logicalResourceId": "ContractTest",
                "resourceProperties": desired,
                "previousResourceProperties": previous,
                "stackTags": {},
                "previousStackTags": {},
            },
        }
        for _ in range(MAX_INVOCATIONS):
            answer = self._invoke(request)
            event = ProgressEvent(action, answer)
            if event.status != "IN_PROGRESS":
                return event
            time.sleep(answer.get("callbackDelaySeconds", 0))
            request["requestData"]["resourceProperties"] = event.model
            request["callbackContext"] = answer.get("callbackContext")
        raise AssertionError(f"{MAX_INVOCATIONS} invocations were not enough: {event}")

    def _invoke(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        body = json.dumps(request).encode()
        with urllib.request.urlopen(self.url, body, timeout=ANSWER_SECONDS[request["action"]]) as answer:
            event: Mapping[str, Any] = json.load(answer)
            return event


def names(pointers: list[str]) -> list[str]:
    """Return the names of top-level properties that JSON pointers of the schema lead to."""
    return [pointer.removeprefix("/properties/") for pointer in pointers]
