"""What CloudFormation does around resources, and in which order: deploy, clean up, roll back, delete.

moto parses templates and models its own resource types. How it carries stack operations out, without order, replacement
or rollback, is replaced by what follows.
"""

import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError
from moto.cloudformation import models, parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import cloudformation_backends

from .handlers import Properties, Scope, as_strings
from .references import resolved
from .registry import HandlerFailed, RegistryResource

# How long an API call waits for the operation it started. Longer ones go on behind it, as in AWS all do.
PATIENCE_SECONDS = 45

REPLACING = "Requested update requires the creation of a new physical resource; hence creating one."
NO_CHANGES = "No updates are to be performed."

NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")


def clean_json(node: Any, resources: parsing.ResourceMap) -> Any:
    """A part of a template, worked out. Of a list, moto keeps an item that is `AWS::NoValue`, as a null."""
    cleaned = moto_clean_json(node, resources)
    return [item for item in cleaned if item is not None] if isinstance(node, list) else cleaned


moto_clean_json = parsing.clean_json


class Resources(parsing.ResourceMap):
    """A template's names and what they stand for, without moto's habit of creating whatever is looked at."""

    def __getitem__(self, key: str) -> Any:
        """What a name stands for: a resource that is there, a parameter's value, a mapping."""
        if key not in self._parsed_resources:
            reason = f"Unresolved resource dependencies [{key}] in the Resources block of the template"
            raise ValidationError(message=f"Template format error: {reason}")
        return self._parsed_resources[key]

    def load_parameters(self) -> None:
        """Numbers stay as they were written, and list items are trimmed [user guide, "Parameters"]."""
        slots = self._template.get("Parameters") or {}
        given = {name: (slots[name]["Type"], value) for name, value in self.input_parameters.items() if name in slots}
        for name, (kind, value) in given.items():
            numbers = {"Number": [value], "List<Number>": value.split(",")}.get(kind, [])
            if not all(map(NUMBER.fullmatch, numbers)):
                raise ValidationError(message=f"Parameter '{name}' must be a number.")
        super().load_parameters()
        for name, (kind, value) in given.items():
            if kind == "Number":
                self.resolved_parameters[name] = value
            elif kind.startswith(("List<", "CommaDelimitedList")):
                self.resolved_parameters[name] = [item.strip() for item in value.split(",")]
        self._parsed_resources.update(self.resolved_parameters)

    def load_conditions(self) -> None:
        """Conditions compare strings."""
        template = self._template
        self._template = {**template, "Conditions": as_strings(template.get("Conditions") or {})}
        super().load_conditions()
        self._template = template

    @property
    def resources(self) -> Iterable[str]:
        """The resources that are there."""
        return [name for name in self._resource_json_map if name in self._parsed_resources]

    def declared(self) -> list[str]:
        """The resources whose condition holds, each after everything it refers to."""
        holds = self.lazy_condition_map
        names = [name for name, json in self._resource_json_map.items() if holds.get(json.get("Condition"), True)]
        graph = {name: references(self._resource_json_map[name]).intersection(names) for name in names}
        try:
            return list(TopologicalSorter(graph).static_order())
        except CycleError as cycle:
            names = sorted(set(cycle.args[1]))
            raise ValidationError(message=f"Circular dependency between resources: {names}") from cycle

    def resolve(self, name: str) -> Properties:
        """A resource's declaration with every reference and function worked out."""
        resolved: Properties = parsing.clean_json(self._resource_json_map[name], self)
        return {"Properties": {}, **resolved}

    def put(self, name: str, model: Any) -> None:
        """Makes a name stand for a resource."""
        self._parsed_resources[name] = model

    def drop(self, name: str) -> None:
        """Makes a name stand for nothing."""
        self._parsed_resources.pop(name, None)


def references(node: Any) -> set[str]:
    """Every name that a part of a template refers to."""
    if isinstance(node, list):
        return set().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    found = references(list(node.values()))
    for key, value in node.items():
        listed = [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]
        if key in ("Ref", "DependsOn"):
            found.update(listed)
        elif key == "Fn::GetAtt":
            found.update(item.split(".")[0] for item in listed[:1])
        elif key == "Fn::Sub":
            found.update(re.findall(r"\$\{([^!.}]+)", "".join(listed[:1])))
    return found


def refuse_nulls(node: Any, place: str = "") -> None:
    """A template holds no null, and in YAML no key without a value."""
    if node is None:
        raise ValidationError(message=f"[{place}] 'null' values are not allowed in templates")
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        refuse_nulls(value, f"{place}/{key}")


@dataclass(frozen=True)
class Member:
    """A resource of a stack: its name, its declaration as it was carried out, and what it became."""

    name: str
    declaration: Properties
    model: Any
    # The properties as they were sent, with the values of dynamic references: those who ask see the declaration.
    sent: Properties = field(default_factory=dict, repr=False)

    @property
    def properties(self) -> Properties:
        """The properties, with every reference and function worked out, but for dynamic references."""
        properties: Properties = self.declaration["Properties"]
        return properties

    def retained(self, policy: str, *, rolled_back: bool = False) -> bool:
        """Whether the template keeps the physical resource where CloudFormation would delete it."""
        keeping = ("Retain",) if rolled_back else ("Retain", "RetainExceptOnCreate")
        return self.declaration.get(policy) in keeping


@dataclass
class Rollbacks:
    """What is not documented of the rollback of an UPDATE, so that tests play either (docs/assumptions.md)."""

    # Whether an UPDATE that goes back sends what failed as the previous properties and tags, or what it goes back to.
    failed_as_previous: bool = True
    # Whether its requests have `rollback: true`, which the official Java runtime knows.
    marked: bool = False


ROLLBACKS = Rollbacks()


class Operation:
    """What one stack operation does to resources, and the events it leaves."""

    def __init__(self, stack: "Stack", target: Resources, tags: dict[str, str]) -> None:
        self.stack = stack
        self.target = target
        self.scope = Scope(stack.account_id, stack.region_name, stack.stack_id, stack.name, tags, stack.tags)

    def report(self, member: Member, status: str, reason: str | None = None) -> None:
        """Adds an event about a resource."""
        physical_id, kind = getattr(member.model, "physical_resource_id", ""), member.declaration["Type"]
        stack = self.stack
        event = models.Event(stack.stack_id, stack.name, member.name, physical_id, kind, status, reason, None)
        stack.events.append(event)

    def ready(self, member: Member) -> Member:
        """The resource with its dynamic references resolved, for a CREATE or an UPDATE: nothing else resolves them."""
        return replace(member, sent=resolved(member.properties, self.scope.account, self.scope.region))

    def create(self, member: Member) -> Member:
        """Makes the physical resource."""
        kind = parsing.resource_class_from_type(member.declaration["Type"])
        if kind and issubclass(kind, RegistryResource):
            return replace(member, model=kind.create(self.scope, member.name, member.sent))
        unconditional = {key: value for key, value in member.declaration.items() if key != "Condition"}
        model: Any = parsing.parse_and_create_resource(
            member.name,
            {**unconditional, "Properties": member.sent},
            self.target,
            self.scope.account,
            self.scope.region,
        )
        if model is None:
            raise ValidationError(message=f"Resource type {member.declaration['Type']} is not supported on this engine")
        return replace(member, model=model)

    def update(self, previous: Member, member: Member) -> Member:
        """Changes the physical resource in place."""
        if isinstance(previous.model, RegistryResource):
            return replace(member, model=previous.model.update(self.scope, member.sent, previous.sent))
        self.target.put(previous.name, previous.model)
        declaration = {**member.declaration, "Properties": member.sent}
        model: Any = parsing.parse_and_update_resource(
            member.name, declaration, self.target, self.scope.account, self.scope.region
        )
        if model is None:
            raise ValidationError(message=f"moto cannot update resources of type {declaration['Type']}")
        return replace(member, model=model)

    def delete(self, member: Member, retained: bool = False) -> bool:
        """Deletes the physical resource, or leaves it be. False when it could not be deleted."""
        if retained:
            self.report(member, "DELETE_SKIPPED")
            return True
        self.report(member, "DELETE_IN_PROGRESS")
        try:
            if isinstance(member.model, RegistryResource):
                member.model.delete(self.scope, member.sent)
            else:
                self.target._delete_resource(member.model, {**member.declaration, "Properties": member.sent})
        except Exception as error:
            self.report(member, "DELETE_FAILED", reason_of(error))
            return False
        self.report(member, "DELETE_COMPLETE")
        return True


class Deployment(Operation):
    """Brings a stack to a template, or back to where it was."""

    def __init__(
        self,
        stack: "Stack",
        verb: str,
        template: str,
        parameters: dict[str, Any],
        tags: dict[str, str] | None,
        imports: dict[str, Properties],
    ) -> None:
        self.template = template
        super().__init__(stack, stack.plan(template, parameters), stack.tags if tags is None else tags)
        self.verb = verb
        self.imports = imports
        self.order = self.target.declared()
        self.before = dict(stack.members)
        self.after: dict[str, Member] = {}
        self.made: list[Member] = []
        self.changed: list[tuple[Member, Member]] = []
        self.outdated: dict[str, tuple[Member, str]] = {}
        self.failed: str | None = None

    def run(self) -> None:
        """Every resource in dependency order; then what is left over goes. A failure undoes it all."""
        self.stack.enter(f"{self.verb}_IN_PROGRESS", "User Initiated")
        try:
            for name in self.order:
                self.settle(name)
            outputs = parsing.OutputMap(self.target, self.stack.parse_template(self.template), self.stack.stack_id)
            list(outputs.values())
        except Exception as error:
            failed = f"The following resource(s) failed to {self.verb.lower()}: [{self.failed}]."
            self.roll_back(failed if self.failed else reason_of(error))
            return
        self.complete(outputs)

    def settle(self, name: str) -> None:
        """Creates, imports, replaces, updates or keeps one resource."""
        current = self.before.get(name)
        verb = "UPDATE" if current else "IMPORT" if name in self.imports else "CREATE"
        member = current or Member(name, self.target._resource_json_map[name], None)
        try:
            declaration = self.target.resolve(name)
            member = Member(name, declaration, current and current.model, current.sent if current else {})
            if current is None:
                self.report(member, f"{verb}_IN_PROGRESS")
                member = self.ready(member)
                member = self.add(member)
            elif self.differs(current, declaration):
                member = self.ready(member)
                member = self.change(current, member)
            else:
                self.keep(member)
                return
        except Exception as error:
            self.failed = name
            if isinstance(error, HandlerFailed) and error.leftover:
                member = replace(member, model=error.leftover)
                self.made.append(member)
            self.report(member, f"{verb}_FAILED", reason_of(error))
            raise
        self.keep(member)
        self.report(member, f"{verb}_COMPLETE")

    def keep(self, member: Member) -> None:
        """From now on this is what the name stands for."""
        self.after[member.name] = member
        self.target.put(member.name, member.model)
        if self.verb == "CREATE":
            self.stack.members[member.name] = member

    def add(self, member: Member) -> Member:
        """A resource that the stack did not have."""
        identifier = self.imports.get(member.name)
        if identifier is not None:
            kind: Any = parsing.resource_class_from_type(member.declaration["Type"])
            return replace(member, model=kind.adopt(self.scope, member.name, identifier))
        member = self.create(member)
        self.made.append(member)
        return member

    def differs(self, current: Member, declaration: Properties) -> bool:
        """Whether a resource is not what the template declares, or has a new stack tag to take."""
        taggable = isinstance(current.model, RegistryResource) and current.model.taggable()
        retagged = taggable and self.scope.tags != self.scope.previous_tags
        same_type = current.declaration["Type"] == declaration["Type"]
        return retagged or not same_type or as_strings(current.properties) != as_strings(declaration["Properties"])

    def change(self, current: Member, member: Member) -> Member:
        """A resource that is to be another: in place, or by a new one whose predecessor goes at the very end."""
        if current.declaration["Type"] != member.declaration["Type"]:
            raise ValidationError(message=f"Update of resource type is not permitted: {current.name}")
        pointers = create_only(member.declaration["Type"])
        old, new = as_strings(current.properties), as_strings(member.properties)
        if any(at(old, pointer) != at(new, pointer) for pointer in pointers):
            self.report(current, "UPDATE_IN_PROGRESS", REPLACING)
            member = self.create(member)
            self.made.append(member)
            self.outdated[current.name] = current, "UpdateReplacePolicy"
            return member
        self.report(current, "UPDATE_IN_PROGRESS")
        # Undone even when it fails: it may have come half the way.
        self.changed.append((current, member))
        member = self.update(current, member)
        self.changed[-1] = current, member
        return member

    def complete(self, outputs: parsing.OutputMap) -> None:
        """Replaced and removed resources are deleted; then the stack is what the template says."""
        stack = self.stack
        old_order = stack.resource_map.declared()
        for name, member in self.before.items():
            if name not in self.after:
                self.outdated[name] = member, "DeletionPolicy"
        stack.adopt(self.template, self.target, dict(self.scope.tags), self.after)
        if self.outdated:
            stack.enter("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        for name in sorted(self.outdated, key=old_order.index, reverse=True):
            member, policy = self.outdated[name]
            self.delete(member, member.retained(policy))
        stack.publish(outputs)
        stack.enter(f"{self.verb}_COMPLETE")

    def roll_back(self, reason: str) -> None:
        """In-place changes are undone, what was made is deleted, and what was to go stays."""
        prefix = "" if self.verb == "CREATE" else f"{self.verb}_"
        self.stack.enter(f"{prefix}ROLLBACK_IN_PROGRESS", reason)
        old, failed = self.scope.previous_tags, self.scope.tags
        previous = failed if ROLLBACKS.failed_as_previous else old
        self.scope = replace(self.scope, tags=old, previous_tags=previous, rollback=ROLLBACKS.marked)
        undone = True
        for before, after in self.changed:
            undone = self.undo(before, after) and undone
        for member in reversed(self.made):
            replaced = member.name in self.before
            gone = self.delete(member, not replaced and member.retained("DeletionPolicy", rolled_back=True))
            if self.verb == "CREATE":
                undone = undone and gone
                self.stack.forget(member) if gone else self.stack.members.update({member.name: member})
        self.stack.enter(f"{prefix}ROLLBACK_COMPLETE" if undone else f"{prefix}ROLLBACK_FAILED")

    def undo(self, before: Member, after: Member) -> bool:
        """An UPDATE back to what was."""
        self.report(after, "UPDATE_IN_PROGRESS")
        previous = after if ROLLBACKS.failed_as_previous else replace(before, model=after.model)
        try:
            restored = self.update(previous, self.ready(before))
        except Exception as error:
            self.report(after, "UPDATE_FAILED", reason_of(error))
            return False
        self.stack.members[before.name] = restored
        self.stack.resource_map.put(before.name, restored.model)
        self.report(restored, "UPDATE_COMPLETE")
        return True


def reason_of(error: Exception) -> str:
    """An error in the words of a stack event."""
    return str(getattr(error, "message", None) or error)


def create_only(type_name: str) -> list[str]:
    """Pointers to the properties that a type's resources keep for life."""
    kind = parsing.resource_class_from_type(type_name)
    if kind and issubclass(kind, RegistryResource):
        schema = kind.registration.schema
    else:
        try:
            schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type_name).schema
        except ResourceNotFoundError:
            schema = {}
    pointers: list[str] = schema.get("createOnlyProperties") or []
    return pointers


def at(properties: Any, pointer: str) -> Any:
    """What a schema's property pointer points at; a list is taken whole."""
    for part in pointer.split("/")[2:]:
        if not isinstance(properties, dict):
            break
        properties = properties.get(part)
    return properties


moto_parse_template = models.Stack.parse_template


class Stack(models.Stack):
    """A stack whose operations end in events and a status, never in an error of the API call that started them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.members: dict[str, Member] = {}
        self.resource_map: Resources
        super().__init__(*args, **kwargs)
        self.parameters = self.effective(self.template_dict, self.parameters)

    @property
    def stack_parameters(self) -> dict[str, Any]:
        """The parameters as they were given, with the template's defaults: what `UsePreviousValue` means."""
        return self.parameters

    @staticmethod
    def parse_template(template: str) -> dict[str, Any]:
        """The template as a tree."""
        parsed: dict[str, Any] = moto_parse_template(template)
        refuse_nulls(parsed)
        return parsed

    @staticmethod
    def effective(template: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
        """Parameters with the template's defaults, as strings, as the API takes them."""
        declared = template.get("Parameters") or {}
        defaults = {name: as_strings(slot["Default"]) for name, slot in declared.items() if "Default" in slot}
        return {**defaults, **{name: as_strings(value) for name, value in parameters.items() if name in declared}}

    def _create_output_map(self) -> parsing.OutputMap:
        """No outputs until the stack is complete."""
        return parsing.OutputMap(self.resource_map, {}, self.stack_id)

    def plan(self, template: str, parameters: dict[str, Any]) -> Resources:
        """The template's names under these parameters, its parts checked."""
        parsed = self.parse_template(template)
        given = self.effective(parsed, parameters)
        target = Resources(
            self.stack_id, self.name, given, self.tags, self.region_name, self.account_id, parsed,
            cloudformation_backends[self.account_id][self.region_name].exports,
        )  # fmt: skip
        target.load()
        return target

    def changes(self, template: str, parameters: dict[str, Any], tags: dict[str, str] | None) -> bool:
        """Whether deploying this could change anything."""
        parsed = self.parse_template(template)
        same = parsed == self.template_dict and self.effective(parsed, parameters) == self.parameters
        return not same or bool(tags and tags != self.tags)

    def enter(self, status: str, reason: str | None = None) -> None:
        """Enters a status, with an event."""
        self.status = status
        self._add_stack_event(status, resource_status_reason=reason)

    def adopt(self, template: str, resources: Resources, tags: dict[str, str], members: dict[str, Member]) -> None:
        """Makes a template that was carried out the stack's own."""
        self.template, self.template_dict = template, self.parse_template(template)
        self.description = self.template_dict.get("Description")
        self.parameters, self.tags = resources.input_parameters, tags
        self.resource_map, self.members = resources, members

    def forget(self, member: Member) -> None:
        """The resource is no longer the stack's."""
        self.members.pop(member.name, None)
        self.resource_map.drop(member.name)

    def publish(self, outputs: parsing.OutputMap | None) -> None:
        """Shows the outputs, and exports what other stacks may import."""
        exports = cloudformation_backends[self.account_id][self.region_name].exports
        for name in [name for name, export in exports.items() if export.exporting_stack_id == self.stack_id]:
            del exports[name]
        self.output_map = self._create_output_map() if outputs is None else outputs
        exports.update({export.name: export for export in self.output_map.exports})

    def refuse_if_unfit(self) -> None:
        """Nothing can be deployed on a stack that is busy, was never created, or is half rolled back or deleted."""
        dead = ("_IN_PROGRESS", "ROLLBACK_FAILED", "DELETE_FAILED")
        if self.status == "ROLLBACK_COMPLETE" or self.status.endswith(dead):
            raise ValidationError(message=f"Stack:{self.stack_id} is in {self.status} state and can not be updated.")

    def refuse_import(self, template: dict[str, Any], imports: dict[str, Properties]) -> None:
        """An import brings in what exists, under a template that would not delete it again, and nothing else."""
        outputs, shown = template.get("Outputs") or {}, self.template_dict.get("Outputs") or {}
        if any(outputs[name] != shown.get(name) for name in outputs):
            raise ValidationError(message="As part of the import operation, you cannot modify or add [Outputs]")
        for name, declaration in template["Resources"].items():
            if name not in self.members and name not in imports:
                raise ValidationError(message=f"Resource [{name}] is missing from ResourcesToImport list")
            if name in imports and "DeletionPolicy" not in declaration:
                raise ValidationError(message=f"Resource [{name}] to import must have a DeletionPolicy attribute")

    def deploy(
        self,
        verb: str,
        template: str,
        parameters: dict[str, Any],
        tags: dict[str, str] | None,
        imports: dict[str, Properties] | None = None,
    ) -> None:
        """Carries a deployment out."""
        deployment = Deployment(self, verb, template, parameters, tags or None, imports or {})
        if verb == "CREATE":
            self.adopt(template, deployment.target, dict(deployment.scope.tags), {})
        self.carry_out(deployment.run)

    def carry_out(self, operation: Callable[[], None]) -> None:
        """Runs an operation and waits for it for a while: the AWS CLI asks at once, and then only every 30 seconds."""

        def run() -> None:
            try:
                operation()
            except Exception as error:
                self.enter(self.status.replace("_IN_PROGRESS", "_FAILED"), f"A bug in the engine: {error!r}")
                raise

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(PATIENCE_SECONDS)

    def create_resources(self) -> None:
        """CreateStack."""
        self.events.clear()  # moto's CREATE_IN_PROGRESS: the deployment adds its own
        try:
            self.deploy("CREATE", str(self.template), self.parameters, self.tags)
        except ValidationError:
            # moto has it among its stacks by now.
            del cloudformation_backends[self.account_id][self.region_name].stacks[self.stack_id]
            raise

    def update(
        self,
        template: str,
        role_arn: str | None = None,
        parameters: dict[str, Any] | None = None,
        tags: dict[str, str] | None = None,
    ) -> None:
        """UpdateStack."""
        self.refuse_if_unfit()
        if not self.changes(template, parameters or {}, tags):
            raise ValidationError(message=NO_CHANGES)
        self.deploy("UPDATE", template, parameters or {}, tags)

    def delete(self) -> None:
        """DeleteStack: every resource after those that refer to it."""
        self.enter("DELETE_IN_PROGRESS", "User Initiated")
        self.publish(None)
        operation = Operation(self, self.resource_map, self.tags)
        order = self.resource_map.declared()
        for member in sorted(self.members.values(), key=lambda member: order.index(member.name), reverse=True):
            if operation.delete(member, member.retained("DeletionPolicy")):
                self.forget(member)
        self.enter("DELETE_FAILED" if self.members else "DELETE_COMPLETE")
