"""The events in sam-tests/, one for each action: the life of one key."""

import json
from collections.abc import Callable
from typing import Any

from checkout import ROOT

EVENTS = ROOT / "sam-tests"
LIFE = ("create", "read", "update", "list", "delete")
CREDENTIALS = {"accessKeyId": "local", "secretAccessKey": "local", "sessionToken": "local"}


def sam_events(invoke: Callable[[dict[str, Any]], Any]) -> list[Any]:
    """Send each event in turn, and return the answers.

    What whoever uses the events by hand has to fill in is filled in: credentials, and the id of the key that CREATE
    answers with.
    """
    answers: list[Any] = []
    for action in LIFE:
        event = json.loads((EVENTS / f"{action}.json").read_text())
        event["credentials"] = CREDENTIALS
        for state in ("desiredResourceState", "previousResourceState"):
            properties = event["request"].get(state) or {}
            if "Id" in properties:
                properties["Id"] = answers[0]["resourceModel"]["Id"]
        answers.append(invoke(event))
    return answers
