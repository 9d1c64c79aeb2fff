"""CloudFormation's side of the resource provider protocol: registered types and the requests to their handlers."""

import json
import time
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from moto.cloudformation.exceptions import UnformattedGetAttTemplateException, ValidationError
from moto.core.common_models import CloudFormationModel
from surroundings import RETRIABLE

Properties = dict[str, Any]

# The function crashed or timed out: no error code of a handler's own.
NO_ANSWER = "NoAnswer"

RETRIES = 3

# Whose credentials the handlers get: those for the stack, and those for logs and metrics.
CALLER, PROVIDER = "ASIAENGINECALLER0001", "ASIAENGINEPROVIDER01"

# A handler answers within a minute; the Lambda API gets a little longer to say that it did not.
INVOCATION_TIMEOUT_SECONDS = 65


class HandlerFailed(Exception):
    """A FAILED progress event, worded as CloudFormation words it in a stack event."""

    def __init__(self, event: Properties, token: str) -> None:
        code = event.get("errorCode", NO_ANSWER)
        self.code: str = "InternalFailure" if code == NO_ANSWER else code
        self.model: Properties = event.get("resourceModel") or {}
        # The resource that a failed CREATE left behind: the rollback's to delete.
        self.leftover: RegistryResource | None = None
        message = event.get("message", "the handler gave no reason")
        super().__init__(
            f'Resource handler returned message: "{message}" (RequestToken: {token}, HandlerErrorCode: {self.code})'
        )


@dataclass(frozen=True)
class Scope:
    """What every request of one stack operation says about the stack."""

    account: str
    region: str
    stack_id: str
    stack_name: str
    tags: Mapping[str, str]
    previous_tags: Mapping[str, str]
    # Whether the request says that it is a rollback's.
    rollback: bool = False


@dataclass(frozen=True)
class Registration:
    """A resource type under the name that an account registered it by, and where its handlers are invoked."""

    type_name: str
    schema: Properties
    lambda_url: str
    type_configuration: Properties | None
    # Doubled for each further retry.
    first_backoff_seconds: float
    # Where the handlers' logs go: the log group of the type's `LoggingConfig`.
    log_group: str | None = None

    def names(self, keyword: str) -> list[str]:
        """The top-level properties that a keyword of the schema lists."""
        return [pointer.removeprefix("/properties/") for pointer in self.schema.get(keyword, [])]

    def call(
        self, action: str, scope: Scope, logical_id: str, properties: Properties, previous: Properties | None = None
    ) -> Properties:
        """Carries one operation to its end and returns the model it ends with.

        Every invocation of the operation has the same bearer token. An IN_PROGRESS event is followed up after its
        delay with its callback context and its model; a retriable failure is tried again, a few times. A failure
        carries the last model that any event of the operation had.
        """
        token, context, retries = str(uuid.uuid4()), None, 0
        model: Properties = {}
        while True:
            request = self._request(action, scope, logical_id, properties, previous, token, context)
            event = self._checked(action, self._invoke(request))
            model = event.get("resourceModel") or model
            if event["status"] == "SUCCESS":
                return model
            if event["status"] == "IN_PROGRESS":
                properties, context, retries = model, event.get("callbackContext"), 0
                time.sleep(event.get("callbackDelaySeconds", 0))
            elif event.get("errorCode") in {*RETRIABLE, NO_ANSWER} and retries < RETRIES:
                time.sleep(self.first_backoff_seconds * 2**retries)
                retries += 1
            else:
                raise HandlerFailed({**event, "resourceModel": model}, token)

    def _checked(self, action: str, event: Properties) -> Properties:
        """The event, or the failure that an event is which the contract forbids."""
        identified = all((event.get("resourceModel") or {}).get(name) for name in self.names("primaryIdentifier"))
        if event["status"] == "IN_PROGRESS" and action == "READ":
            return failure("the handler answered READ with IN_PROGRESS")
        if event["status"] != "FAILED" and action != "DELETE" and not identified:
            return failure(f"the handler answered {action} without the primary identifier")
        return event

    def _request(
        self,
        action: str,
        scope: Scope,
        logical_id: str,
        properties: Properties,
        previous: Properties | None,
        token: str,
        context: Any,
    ) -> Properties:
        return {
            "awsAccountId": scope.account,
            "bearerToken": token,
            "region": scope.region,
            "action": action,
            "responseEndpoint": None,
            "resourceType": self.type_name,
            "resourceTypeVersion": "00000001",
            "callbackContext": context,
            "nextToken": None,
            "maxResults": None,
            "stackId": scope.stack_id,
            **({"rollback": True} if scope.rollback else {}),
            "requestData": {
                "callerCredentials": credentials(CALLER),
                "providerCredentials": credentials(PROVIDER) if self.log_group else None,
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

    def _invoke(self, request: Properties) -> Properties:
        """The handler's progress event, or the failure to give one."""
        call = urllib.request.Request(
            self.lambda_url, json.dumps(request).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(call, timeout=INVOCATION_TIMEOUT_SECONDS) as answer:
                event = json.load(answer)
            if isinstance(event, dict) and "status" in event:
                return event
            reason = f"it answered {json.dumps(event)[:200]}"
        except (OSError, ValueError) as error:
            reason = str(error)
        return failure(f"the handler did not answer: {reason}", NO_ANSWER)


class RegistryResource(CloudFormationModel):
    """A resource of a registered type, as moto asks a model: its physical id (`Ref`) and attributes (`Fn::GetAtt`)."""

    registration: ClassVar[Registration]

    def __init__(self, logical_id: str, identifier: Properties) -> None:
        self.logical_resource_id = logical_id
        self.cf_resource_type = self.registration.type_name
        self.identifier = {name: identifier[name] for name in self.registration.names("primaryIdentifier")}
        self.physical_resource_id = "|".join(map(str, self.identifier.values()))
        self.attributes: Properties = {}

    @classmethod
    def create(cls, scope: Scope, logical_id: str, properties: Properties) -> Self:
        """CREATE, then READ. A failure that leaves a resource behind carries it."""
        try:
            model = cls.registration.call("CREATE", scope, logical_id, properties)
        except HandlerFailed as failure:
            if all(failure.model.get(name) for name in cls.registration.names("primaryIdentifier")):
                failure.leftover = cls(logical_id, failure.model)
            raise
        resource = cls(logical_id, model)
        try:
            resource.read(scope)
        except HandlerFailed as failure:
            failure.leftover = resource
            raise
        return resource

    @classmethod
    def adopt(cls, scope: Scope, logical_id: str, identifier: Properties) -> Self:
        """A resource that exists already: READ."""
        resource = cls(logical_id, identifier)
        resource.read(scope)
        return resource

    def read(self, scope: Scope) -> None:
        """READ, which gets only the primary identifier and is all that `Fn::GetAtt` knows."""
        self.attributes = self.registration.call("READ", scope, self.logical_resource_id, self.identifier)

    def update(self, scope: Scope, properties: Properties, previous: Properties) -> Self:
        """UPDATE, then READ."""
        desired, previous = {**properties, **self.identifier}, {**previous, **self.identifier}
        self.registration.call("UPDATE", scope, self.logical_resource_id, desired, previous)
        return self.adopt(scope, self.logical_resource_id, self.identifier)

    def delete(self, scope: Scope, properties: Properties) -> None:
        """DELETE. What is not there counts as deleted."""
        try:
            self.registration.call("DELETE", scope, self.logical_resource_id, {**properties, **self.identifier})
        except HandlerFailed as failure:
            if failure.code != "NotFound":
                raise

    @classmethod
    def taggable(cls) -> bool:
        """Whether a change of the stack's tags is an UPDATE of the resource."""
        tagging: Properties = cls.registration.schema.get("tagging", {})
        return bool(tagging.get("taggable", True) and tagging.get("tagUpdatable", True))

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Whether a template may ask for the attribute at all."""
        return attr in cls.registration.names("readOnlyProperties")

    def get_cfn_attribute(self, attribute_name: str) -> Any:
        """The attribute, if READ returned it: declaring it in the schema is not enough."""
        if not self.has_cfn_attr(attribute_name):
            raise UnformattedGetAttTemplateException
        if attribute_name not in self.attributes:
            raise ValidationError(message=f"Attribute '{attribute_name}' does not exist")
        return self.attributes[attribute_name]


def credentials(access_key_id: str) -> Properties:
    """Temporary credentials that nobody has given out."""
    return {"accessKeyId": access_key_id, "secretAccessKey": "made-up", "sessionToken": "made-up"}


def failure(message: str, code: str = "InternalFailure") -> Properties:
    """A FAILED event that no handler has sent."""
    return {"status": "FAILED", "errorCode": code, "message": message}


def as_strings(value: Any) -> Any:
    """A copy in which every primitive is a string, as CloudFormation may send them."""
    if isinstance(value, dict):
        return {name: as_strings(item) for name, item in value.items()}
    if isinstance(value, list):
        return [as_strings(item) for item in value]
    if isinstance(value, bool):
        return str(value).lower()
    return value if value is None else str(value)
