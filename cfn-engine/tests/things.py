"""A resource type made up for the tests, with handlers that a test can speak for, and stacks of it."""

import itertools
import json
from collections.abc import Callable
from typing import Any

from cfn_engine.client import Engine
from werkzeug import Request, Response

Event = dict[str, Any]

SCHEMA: Event = {
    "typeName": "Acme::Test::Thing",
    "description": "A thing",
    "additionalProperties": False,
    "properties": {
        "Name": {"type": "string"},
        "Size": {"type": "integer"},
        "Flags": {"type": "object"},
        "Number": {"type": "string"},
        "Colour": {"type": "string"},
        "Shape": {"type": "string"},
    },
    "primaryIdentifier": ["/properties/Number"],
    "createOnlyProperties": ["/properties/Name"],
    "readOnlyProperties": ["/properties/Number", "/properties/Colour", "/properties/Shape"],
    "tagging": {"taggable": True},
}


def thing(**properties: Any) -> Event:
    """A declaration."""
    return {"Type": "Acme::Test::Thing", "Properties": properties}


def failure(code: str) -> Event:
    """A FAILED event."""
    return {"status": "FAILED", "errorCode": code, "message": f"because of {code}"}


class Things:
    """Handlers of a type that keeps its things in memory, with answers that a test can put before theirs."""

    def __init__(self) -> None:
        """No things yet."""
        self.requests: list[Event] = []
        self.scripted: dict[str, list[Event | None]] = {}
        self.refused: Callable[[Event], bool] = lambda _: False
        self.things: dict[str, Event] = {}
        self.numbers = itertools.count(1)

    def handle(self, request: Event) -> Event | None:
        """The progress event for a request."""
        self.requests.append(request)
        action, properties = request["action"], request["requestData"]["resourceProperties"]
        if self.refused(request):
            return failure("NotUpdatable")
        if self.scripted.get(action):
            return self.scripted[action].pop(0)
        if action == "CREATE":
            properties = {"Number": f"thing-{next(self.numbers)}", **properties}
            self.things[properties["Number"]] = properties
            return {"status": "SUCCESS", "resourceModel": properties}
        if properties["Number"] not in self.things:
            return {"status": "FAILED", "errorCode": "NotFound", "message": "no such thing"}
        if action == "UPDATE":
            self.things[properties["Number"]] = properties
        if action == "DELETE":
            del self.things[properties["Number"]]
            return {"status": "SUCCESS"}
        return {"status": "SUCCESS", "resourceModel": {**self.things[properties["Number"]], "Colour": "red"}}

    def asked(self, action: str) -> list[Event]:
        """The requests for an action."""
        return [request for request in self.requests if request["action"] == action]

    def story(self) -> list[tuple[str, str]]:
        """What was asked for, and for which thing, READ aside."""
        return [
            (request["action"], request["requestData"]["resourceProperties"].get("Number", ""))
            for request in self.requests
            if request["action"] != "READ"
        ]

    def answer(self, request: Request) -> Response:
        """The Lambda API before the handlers."""
        event = self.handle(request.get_json())
        return Response(json.dumps(event), 200 if event else 500, content_type="application/json")


class ThingStack:
    """A stack of things."""

    def __init__(self, engine: Engine, name: str) -> None:
        """A stack that is not there yet."""
        self.engine, self.name = engine, name

    def apply(
        self,
        resources: Event,
        outputs: Event | None = None,
        tags: dict[str, str] | None = None,
        parameters: dict[str, str] | None = None,
        **sections: Event,
    ) -> str:
        """Creates or updates the stack, and returns the status it ends in."""
        body: Event = {"Resources": resources, **sections}
        if outputs:
            body["Outputs"] = {name: {"Value": value} for name, value in outputs.items()}
        tagged = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in (parameters or {}).items()]
        return self.engine.apply(self.name, body, Tags=tagged, Parameters=given)
