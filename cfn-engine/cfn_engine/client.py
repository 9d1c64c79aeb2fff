"""What a test does with an engine that runs: stacks, and what the handlers called for them."""

import json
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from . import aws


class Call(NamedTuple):
    """What a handler called, when which user had which keys."""

    operation: str
    keys: Mapping[str, Sequence[str]]


class Engine:
    """An engine at an endpoint."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.cloudformation, self.secrets, self.ssm = map(self.client, ("cloudformation", "secretsmanager", "ssm"))

    def client(self, service: str) -> Any:
        """A client of an AWS service that asks the engine."""
        return aws.client(service, self.endpoint)

    def stacks(self) -> list[str]:
        """The names of all stacks."""
        return [stack["StackName"] for stack in self.cloudformation.describe_stacks()["Stacks"]]

    def apply(self, stack: str, template: Mapping[str, Any], **options: Any) -> str:
        """Creates or updates a stack, and returns the status it ends in."""
        there = stack in self.stacks()
        operation = self.cloudformation.update_stack if there else self.cloudformation.create_stack
        operation(StackName=stack, TemplateBody=json.dumps(template), **options)
        return str(self.stack(stack)["StackStatus"])

    def stack(self, name: str) -> dict[str, Any]:
        """The stack as DescribeStacks has it."""
        stack: dict[str, Any] = self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return stack

    def outputs(self, name: str) -> dict[str, str]:
        """The stack's outputs."""
        return {output["OutputKey"]: output["OutputValue"] for output in self.stack(name).get("Outputs", [])}

    def resource(self, stack: str, logical_id: str) -> str:
        """The physical id of a stack's resource."""
        answer = self.cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
        return str(answer["StackResourceDetail"]["PhysicalResourceId"])

    def events(self, stack: str) -> list[tuple[str, str, str]]:
        """The stack's events, oldest first: logical id, status, reason."""
        events = self.cloudformation.describe_stack_events(StackName=stack)["StackEvents"][::-1]
        return [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason", "")) for e in events]

    def reasons(self, stack: str, status: str) -> dict[str, str]:
        """Why resources have come to a status, the latest reason each."""
        return {logical_id: reason for logical_id, found, reason in self.events(stack) if found == status}

    def delete(self, stack: str) -> str:
        """Deletes a stack and returns the status it ends in."""
        arn = self.stack(stack)["StackId"]
        self.cloudformation.delete_stack(StackName=stack)
        return str(self.stack(arn)["StackStatus"])

    def calls(self) -> list[Call]:
        """What the handlers have called, for stacks, since the last `forget_calls`, in order."""
        return [Call(**call) for call in self._ask("GET", "calls")]

    def forget_calls(self) -> None:
        """Begins anew."""
        self._ask("DELETE", "calls")

    def deny(self, *operations: str, times: int = 1) -> None:
        """Denies the next calls of each of these operations, and no other any more."""
        self._ask("PUT", "denials", dict.fromkeys(operations, times))

    def set_rollbacks(self, *, failed_as_previous: bool = True, marked: bool = False) -> None:
        """What is undocumented of what the rollback of an UPDATE sends."""
        self._ask("PUT", "rollbacks", {"failed_as_previous": failed_as_previous, "marked": marked})

    def age(self) -> None:
        """Makes all users and keys an hour older, so that the handlers do not wait to see more of them."""
        self._ask("PUT", "age")

    def _ask(self, method: str, what: str, body: object = None) -> Any:
        url, headers = f"{self.endpoint}/engine/{what}", {"Content-Type": "application/json"}
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
