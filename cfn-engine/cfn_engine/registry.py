"""Resources of registered types: their operations on the handlers, and what templates may ask of them."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from moto.cloudformation.exceptions import UnformattedGetAttTemplateException, ValidationError
from moto.core.common_models import CloudFormationModel

from .handlers import NO_ANSWER, Handlers, Properties, Scope, failure, names


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


@dataclass(frozen=True, kw_only=True)
class Registration(Handlers):
    """A resource type as an account registered it."""

    schema: Properties

    def names(self, keyword: str) -> list[str]:
        """The properties that a keyword of the schema lists."""
        return names(self.schema, keyword)

    def call(
        self, action: str, scope: Scope, logical_id: str, properties: Properties, previous: Properties | None = None
    ) -> Properties:
        """Carries one operation to its end and returns the model it ends with.

        A failure carries the last model that any event of the operation had.
        """
        request = self.request(action, scope, logical_id, properties, previous)
        model: Properties = {}
        for event in self.events(request):
            if breach := self.breach(action, event):
                event = failure(breach)
                break
            model = event.get("resourceModel") or model
        if event["status"] != "SUCCESS":
            raise HandlerFailed({**event, "resourceModel": model}, request["bearerToken"])
        return model

    def breach(self, action: str, event: Properties) -> str | None:
        """What the contract forbids in an event."""
        if event["status"] == "IN_PROGRESS" and action == "READ":
            return "the handler answered READ with IN_PROGRESS"
        identified = all((event.get("resourceModel") or {}).get(name) for name in self.names("primaryIdentifier"))
        if event["status"] != "FAILED" and action != "DELETE" and not identified:
            return f"the handler answered {action} without the primary identifier"
        return None


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
