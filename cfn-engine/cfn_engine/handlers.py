"""What CloudFormation asks a type's handlers, in which words, and how often until an operation has come to an end."""

import contextlib
import http.client
import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

Properties = dict[str, Any]

# The function crashed or timed out: no error code of a handler's own.
NO_ANSWER = "NoAnswer"
# CloudFormation calls again after these, with the same bearer token (resource type handler error codes). How often, and
# how soon, is not documented.
RETRIABLE = {"NetworkFailure", "Throttling", "ServiceInternalError", "ResourceConflict", NO_ANSWER}
RETRIES = 3
MAX_INVOCATIONS = 40
# How long CloudFormation waits for an answer (resource type handler contract).
READ_SECONDS, WRITE_SECONDS = 30, 60


def credentials(access_key_id: str) -> Mapping[str, str]:
    """Temporary credentials that nobody has given out."""
    return {"accessKeyId": access_key_id, "secretAccessKey": "made-up", "sessionToken": "made-up"}


# Whose credentials the handlers get: those for the stack, and those for logs and metrics.
CALLER, PROVIDER = credentials("ASIAENGINECALLER0001"), credentials("ASIAENGINEPROVIDER01")


@dataclass(frozen=True)
class Scope:
    """What every request of one stack operation says about the stack."""

    account: str
    region: str
    stack_id: str
    stack_name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    previous_tags: Mapping[str, str] = field(default_factory=dict)
    # Whether the request says that it is a rollback's.
    rollback: bool = False


@dataclass(frozen=True, kw_only=True)
class Handlers:
    """The handlers of a type, under the name that an account registered it by, and where they are invoked."""

    type_name: str
    lambda_url: str
    caller: Mapping[str, str] = field(default_factory=lambda: CALLER, repr=False)
    type_configuration: Mapping[str, Any] | None = None
    # Where their logs go: the log group of the type's `LoggingConfig`.
    log_group: str | None = None
    # How often a failure is retried that may pass, and how soon: after twice the time for each further one.
    retries: int = RETRIES
    first_backoff_seconds: float = 0.5

    def request(
        self, action: str, scope: Scope, logical_id: str, properties: Properties, previous: Properties | None = None
    ) -> Properties:
        """The first request of an operation, which has a bearer token of its own."""
        return {
            "awsAccountId": scope.account,
            "bearerToken": str(uuid.uuid4()),
            "region": scope.region,
            "action": action,
            "responseEndpoint": None,
            "resourceType": self.type_name,
            "resourceTypeVersion": "00000001",
            "callbackContext": None,
            "nextToken": None,
            "maxResults": None,
            "stackId": scope.stack_id,
            **({"rollback": True} if scope.rollback else {}),
            "requestData": {
                "callerCredentials": self.caller,
                "providerCredentials": PROVIDER if self.log_group else None,
                "providerLogGroupName": self.log_group,
                "logicalResourceId": logical_id,
                "resourceProperties": as_strings(properties),
                "previousResourceProperties": as_strings(previous),
                "stackTags": dict(scope.tags),
                "previousStackTags": dict(scope.previous_tags) if action == "UPDATE" else None,
                "systemTags": {
                    "aws:cloudformation:stack-name": scope.stack_name,
                    "aws:cloudformation:stack-id": scope.stack_id,
                    "aws:cloudformation:logical-id": logical_id,
                },
                "previousSystemTags": {},
                "typeConfiguration": self.type_configuration,
            },
        }

    def events(self, request: Properties) -> Iterator[Properties]:
        """Carries an operation out, and yields the event of each invocation: the last one says what came of it.

        An event in progress is followed up after its delay, with its callback context and its model. A failure that may
        pass is retried a few times.
        """
        retries = 0
        for _ in range(MAX_INVOCATIONS):
            event = invoke(self.lambda_url, request)
            yield event
            if event["status"] == "IN_PROGRESS":
                data = request["requestData"]
                model = event.get("resourceModel") or data["resourceProperties"]
                data = data | {"resourceProperties": as_strings(model)}
                request = request | {"requestData": data, "callbackContext": event.get("callbackContext")}
                retries = 0
                time.sleep(event.get("callbackDelaySeconds", 0))
            elif event.get("errorCode") in RETRIABLE and retries < self.retries:
                time.sleep(self.first_backoff_seconds * 2**retries)
                retries += 1
            else:
                return
        yield failure(f"{MAX_INVOCATIONS} invocations were not enough", "NotStabilized")

    def pages(self, request: Properties) -> Iterator[Properties]:
        """Sends a LIST for each page, and yields its event; the last one is the last page's, or a failure."""
        while True:
            *_, event = self.events(request)
            yield event
            if not event.get("nextToken"):
                return
            request = request | {"nextToken": event["nextToken"]}


def send(lambda_url: str, request: Properties) -> http.client.HTTPConnection:
    """Invokes the function, whose answer is still to come."""
    url = urlsplit(lambda_url)
    seconds = READ_SECONDS if request["action"] in ("READ", "LIST") else WRITE_SECONDS
    # No proxy's business, whatever the environment says.
    connection = http.client.HTTPConnection(url.netloc, timeout=seconds)
    connection.request("POST", url.path, json.dumps(request), {"Content-Type": "application/json"})
    return connection


def invoke(lambda_url: str, request: Properties) -> Properties:
    """The progress event that the function answers with, or the failure to give one."""
    try:
        with contextlib.closing(send(lambda_url, request)) as connection:
            event = json.load(connection.getresponse())
        if isinstance(event, dict) and "status" in event:
            return event
        # Without the values: one may be a secret.
        reason = f"it answered with {sorted(event) if isinstance(event, dict) else type(event).__name__}"
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = str(error)
    return failure(f"the handler did not answer: {reason}", NO_ANSWER)


def failure(message: str, code: str = "InternalFailure") -> Properties:
    """A FAILED event that no handler has sent."""
    return {"status": "FAILED", "errorCode": code, "message": message}


def names(schema: Mapping[str, Any], keyword: str) -> list[str]:
    """The top-level properties that a keyword of a registry schema lists."""
    return [pointer.removeprefix("/properties/") for pointer in schema.get(keyword, [])]


def as_strings(value: Any) -> Any:
    """A copy in which every primitive is a string, as CloudFormation may send them."""
    if isinstance(value, dict):
        return {name: as_strings(item) for name, item in value.items()}
    if isinstance(value, list):
        return [as_strings(item) for item in value]
    if isinstance(value, bool):
        return str(value).lower()
    return value if value is None else str(value)
