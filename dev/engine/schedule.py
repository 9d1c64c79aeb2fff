"""AWS::Scheduler::Schedule, which moto's CloudFormation lacks."""

from typing import Any

from .monitoring import Named
from .registry import Properties


class Schedule(Named):
    """A schedule in the default group. It never fires: a test sends its target what it would."""

    type_name, service, name_property = "AWS::Scheduler::Schedule", "scheduler", "Name"

    @classmethod
    def put(cls, client: Any, name: str, properties: Properties) -> None:
        """CreateSchedule, or UpdateSchedule if there is one of this name."""
        try:
            client.update_schedule(Name=name, **properties)
        except client.exceptions.ResourceNotFoundException:
            client.create_schedule(Name=name, **properties)

    @classmethod
    def remove(cls, client: Any, name: str, properties: Properties) -> None:
        """DeleteSchedule."""
        client.delete_schedule(Name=name)
