"""moto's CloudFormation API, led to the stacks of this engine: change sets, imports and deletion."""

from typing import Any

from moto.cloudformation import models, parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult
from moto.iam.exceptions import DeleteConflictException
from moto.iam.models import IAMBackend

from . import more_types
from .registry import Registration, RegistryResource
from .stack import Resources, Stack, clean_json

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."


class Backend(models.CloudFormationBackend):
    """CloudFormation in one account and region."""

    # moto finds a backend's routes next to the module that its class is from.
    __module__ = models.__name__

    # moto calls it by these names.
    def create_change_set(  # type: ignore[override]
        self,
        stack_name: str,
        change_set_name: str,
        template: str,
        parameters: dict[str, str],
        change_set_type: str,
        tags: dict[str, str] | None = None,
        **others: Any,
    ) -> tuple[str, str]:
        """A change set, for a new stack where there is none yet. One that changes nothing fails."""
        stack: Any = next((stack for stack in self.stacks.values() if stack.name == stack_name), None)
        if stack and stack.status == "REVIEW_IN_PROGRESS":
            del self.stacks[stack.stack_id]
            stack = None
        if stack and change_set_type == "CREATE":
            reason = f"already exists and cannot be created again with the changeSet [{change_set_name}]."
            raise ValidationError(message=f"Stack [{stack_name}] {reason}")
        if stack:
            stack.refuse_if_unfit()
        base = "UPDATE" if stack or change_set_type == "UPDATE" else "CREATE"
        arn, stack_id = super().create_change_set(
            stack_name, change_set_name, template, parameters, change_set_type=base, tags=tags, **others
        )
        change_set: Any = self.change_sets[arn]
        change_set.change_set_type, change_set.imports = change_set_type, {}
        change_set.stack.plan(template, parameters)
        change_set.status, change_set.execution_status, change_set.status_reason = "CREATE_COMPLETE", "AVAILABLE", None
        if stack and not stack.changes(template, parameters, tags):
            change_set.status, change_set.execution_status = "FAILED", "UNAVAILABLE"
            change_set.status_reason = NO_CHANGES
        return arn, stack_id

    def execute_change_set(self, change_set_name: str, stack_name: str | None = None) -> None:
        """Deploys a change set, once."""
        change_set: Any = None
        for candidate in self.change_sets.values():
            named = change_set_name in (candidate.change_set_id, candidate.change_set_name)
            if named and stack_name in (None, candidate.stack_name, candidate.stack_id):
                change_set = candidate
        if change_set is None:
            raise ValidationError(message=f"ChangeSet [{change_set_name}] does not exist")
        if change_set.execution_status != "AVAILABLE":
            reason = f"cannot be executed in its current execution status of [{change_set.execution_status}]"
            raise ValidationError(message=f"ChangeSet [{change_set.change_set_id}] {reason}")
        change_set.execution_status = "EXECUTE_COMPLETE"
        change_set.stack.deploy(
            change_set.change_set_type,
            change_set.template,
            change_set.parameters,
            change_set.tags,
            change_set.imports,
        )

    def delete_stack(self, name_or_stack_id: str) -> None:
        """Deletes a stack. One that is not there is fine; one that cannot be deleted stays."""
        found = [stack for stack in self.stacks.values() if name_or_stack_id in (stack.name, stack.stack_id)]
        if found:
            stack: Any = found[0]
            stack.carry_out(lambda: self._delete(stack))

    def _delete(self, stack: Stack) -> None:
        stack.delete()
        if stack.status == "DELETE_COMPLETE":
            self.deleted_stacks[stack.stack_id] = self.stacks.pop(stack.stack_id)


def create_change_set(self: CloudFormationResponse) -> ActionResult:
    """CreateChangeSet, with `ResourcesToImport`, which moto does not know."""
    answer: Any = moto_create_change_set(self)
    change_set: Any = self.cloudformation_backend.change_sets[answer.result["Id"]]
    change_set.imports = {
        resource["LogicalResourceId"]: resource["ResourceIdentifier"]
        for resource in self._get_param("ResourcesToImport", [])
    }
    if change_set.change_set_type == "IMPORT":
        change_set.stack.refuse_import(change_set.template_dict, change_set.imports)
    return answer  # type: ignore[no-any-return]


moto_create_change_set = CloudFormationResponse.create_change_set


def delete_user(self: IAMBackend, user_name: str) -> None:
    """DeleteUser, with the keys in its way, which moto does not mind."""
    if self.get_user(user_name).get_all_access_keys():
        raise DeleteConflictException("Cannot delete entity, must delete access keys first.")
    moto_delete_user(self, user_name)


moto_delete_user = IAMBackend.delete_user


def install(registrations: list[Registration], endpoint: str) -> None:
    """Puts the engine and the registered types into moto, in place of its own types of the same names."""
    models.Stack = Stack  # type: ignore[misc]
    models.ResourceMap = Resources  # type: ignore[attr-defined]
    parsing.clean_json = clean_json  # type: ignore[assignment]
    models.cloudformation_backends.backend = Backend
    CloudFormationResponse.create_change_set = create_change_set  # type: ignore[method-assign]
    # "No updates are to be performed" is the answer to UpdateStack, not to CreateChangeSet: `Stack.update` gives it.
    CloudFormationResponse._validate_different_update = lambda *_: None  # type: ignore[method-assign]
    IAMBackend.delete_user = delete_user  # type: ignore[method-assign]
    kinds: dict[str, Any] = parsing.get_model_map()
    for kind in more_types.install(endpoint):
        kinds[kind.cloudformation_type()] = kind
        parsing.get_name_type_map()[kind.cloudformation_type()] = kind.cloudformation_name_type()
    for registration in registrations:
        kinds[registration.type_name] = type("Registered", (RegistryResource,), {"registration": registration})
        parsing.get_name_type_map()[registration.type_name] = ""
