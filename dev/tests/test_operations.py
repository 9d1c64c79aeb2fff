"""The pages for an operator: their commands are played, and their excerpts are what the handlers log."""

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

from checkout import ROOT
from lab import EXAMPLES, LOG_GROUP, Lab
from pages import commands

OPERATIONS = (ROOT / "docs/operations.md").read_text()


def aws_commands(page: str) -> list[str]:
    """The AWS CLI's commands in a page, each on one line."""
    found = commands((ROOT / "docs" / page).read_text().replace("\\\n", ""))
    return [each.removeprefix("aws ") for each in found if each.startswith("aws ")]


def excerpt(heading: str, language: str = "text") -> str:
    """The first block of a language under a heading."""
    found = re.search(rf"^#+ {heading}$.+?^```{language}\n(.+?)^```", OPERATIONS, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def row(line: dict[str, Any]) -> str:
    """A line as the saved query of a stack shows it."""
    span = line["span"]
    told = [line["message"], *(line[name] for name in ("operation", "status", "code", "outcome") if name in line)]
    cells = f"{line['timestamp'][11:23]}  {span['action']:<6}  {span.get('id', ''):<20}  {line['level']:<5}"
    return f"{cells}  {'  '.join(told)}"


def comparable(rows: str) -> list[str]:
    """Rows without what differs from run to run, calls that are made side by side in any order."""
    return sorted(re.sub(r"AKIA\w+", "KEY" + " " * 17, row)[14:] for row in rows.splitlines())


def flat(line: str) -> dict[str, Any]:
    """A line of JSON without what differs from run to run."""
    differs = {"timestamp", "duration_ms", "aws_request_id", "span"}
    fields = {name: value for name, value in json.loads(line).items() if name not in differs}
    return {name: re.sub(r"AKIA\w+|operation-\w+", "KEY", str(value)) for name, value in fields.items()}


def test_the_excerpts_on_the_page_are_what_the_handlers_log(lab: Lab, name: str) -> None:
    template = EXAMPLES / "rotation.yml"
    lab.deploy(name, template)
    before = len(lab.lines(name))
    lab.deploy(name, template, Serial=2)
    rotation = lab.lines(name)[before:]
    shown = "\n".join(map(row, rotation))
    assert comparable(excerpt("A rotation")) == comparable(shown), shown
    [created] = [line for line in rotation if line.get("operation") == "CreateAccessKey"]
    line = excerpt("What happened to a key", "json")
    assert flat(line) == flat(json.dumps(created)) and "aws_request_id" in json.loads(line), json.dumps(created)

    lab.deny("UpdateSecret", times=2)
    lab.fails(f"{name}-fails", template)
    failed = lab.lines(f"{name}-fails")
    shown = "\n".join(map(row, failed))
    assert comparable(excerpt("A CREATE that failed")) == comparable(shown), shown
    assert flat(excerpt("A CREATE that failed", "json")) == flat(json.dumps(failed[-1])), json.dumps(failed[-1])


def test_the_commands_of_the_page_on_operations_find_what_happened(lab: Lab, name: str) -> None:
    lab.deploy(name, EXAMPLES / "rotation.yml")
    # moto has no events of CloudTrail.
    deploy, look, _cloudtrail, open_records, *_of_an_open_record = aws_commands("operations.md")
    found = lab.command_line(*shlex.split(look.replace("stack/payments/", f"stack/{name}/")))
    # moto does not mind the prefix.
    received = [line for line in found.splitlines() if '"request received"' in line and f"stack/{name}/" in line]
    assert len(received) == 2, "CREATE and READ"
    assert f"stack/{name}/" not in lab.command_line(*shlex.split(open_records)), "the record of the CREATE is over"
    lab.command_line(*shlex.split(deploy.replace("access-key-operations", f"{name}-operations")))
    assert lab.stack(f"{name}-operations")["StackStatus"] == "CREATE_COMPLETE"


class Incident:
    """The commands of the page on a leaked key, one after the other."""

    def __init__(self, lab: Lab, stack: str) -> None:
        """The key of a stack has leaked."""
        self.lab = lab
        self.values = {
            "payments": stack,
            "alice": lab.resource(stack, "User"),
            "AKIAIOSFODNN7EXAMPLE": lab.resource(stack, "Key"),
        }
        self.commands: Iterator[str] = iter(aws_commands("incident.md"))

    def play(self, beginning: str, **values: str) -> str:
        """Runs the next command, which begins so, and returns what it prints."""
        command = next(self.commands)
        assert command.startswith(beginning), command
        words = shlex.split(command)
        for example, value in {**self.values, **values}.items():
            words = [word.replace(example, value) for word in words]
        return self.lab.command_line(*words)

    def skip(self, beginning: str) -> None:
        """Passes over the next command, which begins so: moto does not know it."""
        command = next(self.commands)
        assert command.startswith(beginning), command


def test_every_command_of_the_incident_page_does_what_the_page_says(lab: Lab, name: str) -> None:
    lab.deploy(name, EXAMPLES / "rotation.yml")
    incident = Incident(lab, name)
    user, key = incident.values["alice"], incident.values["AKIAIOSFODNN7EXAMPLE"]
    of_the_thief = lab.iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"]

    assert user in (described := incident.play("secretsmanager describe-secret")) and f"stack/{name}/" in described
    assert user in incident.play("iam get-access-key-last-used")

    incident.play("cloudformation deploy")
    assert lab.keys(user) == {key: "Inactive", of_the_thief: "Active"}
    assert lab.resource(name, "Key") == key and lab.secret_of(key), "switched off, not replaced"
    incident.play("iam update-access-key")
    assert lab.keys(user)[key] == "Inactive"

    incident.play("iam put-user-policy")
    assert of_the_thief in incident.play("iam list-access-keys")
    assert "deny-older-sessions" in incident.play("iam list-user-policies")
    incident.play("iam list-attached-user-policies")
    incident.play("iam list-groups-for-user")
    lab.fails(name, EXAMPLES / "rotation.yml", Serial=2, Status="Active")
    [reason] = lab.reasons(name, "UPDATE_FAILED").values()
    assert "HandlerErrorCode: ServiceLimitExceeded" in reason and key in reason and of_the_thief in reason
    incident.play("iam delete-access-key", AKIAI44QH8DHBEXAMPLE=of_the_thief)

    incident.play("cloudformation deploy")
    new = lab.resource(name, "Key")
    assert lab.keys(user) == {new: "Active"} and new != key
    assert lab.secret_of(key) is None
    arn = lab.ssm.get_parameter(Name=f"/{name}/access-key-secret")["Parameter"]["Value"]
    assert lab.stored(arn)["AccessKeyId"] == new

    incident.skip("cloudtrail lookup-events")
    incident.skip("cloudtrail lookup-events")
    told = [json.loads(line) for line in incident.play("logs filter-log-events").splitlines()]
    actions = {line["span"]["action"] for line in told if key in json.dumps(line)}
    assert actions == {"CREATE", "READ", "UPDATE", "DELETE"}

    incident.play("iam delete-user-policy")
    assert new in (left := incident.play("iam list-access-keys")) and key not in left
    assert list(incident.commands) == []
    assert lab.delete(name) == "DELETE_COMPLETE"


def test_the_log_group_of_the_pages_is_the_one_that_registration_makes() -> None:
    assert LOG_GROUP in OPERATIONS and LOG_GROUP in (ROOT / "docs/incident.md").read_text()
