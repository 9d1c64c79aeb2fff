"""`make demo`: the life of an access key, on stacks that `aws cloudformation deploy` deploys on this machine.

Whatever is told is looked up where it is kept, in IAM and Secrets Manager, behind the handlers' back, and what turns
out otherwise ends the demo with an error. Nothing leaves the machine, nothing keeps running, nothing is kept.
"""

import functools
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from cfn_engine.aws import isolate
from cfn_engine.handlers import names
from checkout import ROOT, SCHEMA, SECRETS
from lab import EXAMPLES, Failed, Lab, laboratory
from processes import stop_on_signals
from schema_rules import read

STACK, OVERLAP = "demo", "demo-overlap"
SECRET = "SecretAccessKey"
TABLE = "   {:<22}{:<27}{:<23}{:<19}{:<11}{}"

# At once: somebody is waiting.
say = functools.partial(print, flush=True)

# It comes after the key, so that it fails when the new key has been made.
BROKEN = """\
  Broken:
    Type: AWS::IAM::Policy
    DependsOn: Key
    Properties: {PolicyName: broken, Roles: [no-such-role], PolicyDocument: {Version: "2012-10-17", Statement: []}}
"""


class State(NamedTuple):
    """What a step leaves: a row of the table."""

    step: str
    stack: str
    key: str = "-"
    secret: str = "-"
    status: str = "-"
    most_keys: int = 0


def masked(secret: str) -> str:
    """No more of a secret than tells it from another."""
    return secret if secret == "-" else secret[:4] + "*" * 12


def row(name: str, value: str) -> None:
    """A name and its value."""
    say(f"   {name:<30}{masked(value) if name.endswith(SECRETS) else value}")


def check(told: str, true: bool, seen: object = "") -> None:
    """Says what is so, or ends the demo because it is not."""
    if not true:
        raise SystemExit(f"== NOT AS TOLD: {told}. {seen}")
    say(f"   ok: {told}")


class Story:
    """One stack, from its creation to its end."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.lab, self.directory = lab, directory
        self.states: list[State] = []

    def keys(self) -> list[str]:
        """Every access key of the account: the stack's user is its only one."""
        return [key for user in self.lab.users() for key in self.lab.keys(user)]

    def counts(self) -> list[int]:
        """How many keys the account had at each of the handlers' calls in this step."""
        return [sum(map(len, call.keys.values())) for call in self.lab.calls()]

    def secrets(self) -> list[str]:
        """Every secret of the account, those that wait for their deletion too, but for records that are over."""
        pages = self.lab.secrets.get_paginator("list_secrets").paginate(IncludePlannedDeletion=True)
        listed = [secret for page in pages for secret in page["SecretList"]]
        return [each["ARN"] for each in listed if "DeletedDate" not in each or "/operation-" not in each["Name"]]

    def begin(self, step: str, action: str) -> None:
        """Announces what is going to take a moment."""
        say(f"\n== {step}\n   {action}")
        self.lab.forget_calls()

    def deploy(self, step: str, template: Path, *, breaks: bool = False, **parameters: object) -> State:
        """Deploys a template and tells what the key is now."""
        path = template.relative_to(ROOT if template.is_relative_to(ROOT) else self.directory)
        overrides = "".join(f" --parameter-overrides {name}={value}" for name, value in parameters.items())
        self.begin(step, f"$ aws cloudformation deploy --stack-name {STACK} --template-file {path}{overrides}")
        start, failure = time.monotonic(), ""
        try:
            self.lab.deploy(STACK, template, **parameters)
        except Failed as error:
            failure = str(error)
        result = self.lab.stack(STACK)["StackStatus"]
        row("stack", f"{result} after {time.monotonic() - start:.1f} s")
        for name, status, reason in self.lab.events(STACK):
            if status.endswith("_FAILED"):
                row(f"{name} {status}", reason)
        if bool(failure) != breaks:
            raise SystemExit(f"== NOT AS TOLD: {failure or 'this update was to fail'}")
        outputs, key = self.lab.outputs(STACK), self.lab.resource(STACK, "Key")
        for name, value in outputs.items():
            row(f"output {name}", value)
        left = self.keys(), self.secrets()
        check("this key and its secret are the only ones", left == ([key], [outputs["SecretArn"]]), left)
        secret = self.lab.stored(outputs["SecretArn"])[SECRET]
        status = self.lab.keys(self.lab.resource(STACK, "User"))[key]
        self.states.append(State(step, result, key, secret, status, max(self.counts(), default=0)))
        return self.states[-1]

    def edited(self, name: str, before: str, line: str) -> Path:
        """The rotation example as somebody edited it."""
        copy = self.directory / name
        copy.write_text((EXAMPLES / "rotation.yml").read_text().replace(before, line + before, 1))
        return copy

    def rotate(self, old: State, step: str, serial: int) -> State:
        """Another Serial, another key."""
        new = self.deploy(step, EXAMPLES / "rotation.yml", Serial=serial)
        check("key id and secret have changed, the old ones are gone", new.key != old.key and new.secret != old.secret)
        check("the user had two keys on the way, never more", new.most_keys == 2, self.counts())
        return new

    def overlap(self, stage: str, *others: str) -> str:
        """Takes a stack with two keys in turn to a stage, and returns the key that its secret hands on."""
        options = f"--template-file examples/overlap.yml \\\n       --parameter-overrides Stage={stage}"
        self.begin(f"overlap: {stage}", f"$ aws cloudformation deploy --stack-name {OVERLAP} {options}")
        self.lab.deploy(OVERLAP, EXAMPLES / "overlap.yml", Stage=stage)
        published = self.lab.stored(f"{OVERLAP}/access-key")
        for name in ("AccessKeyId", SECRET):
            row(f"published {name}", published[name])
        live, keys = str(published["AccessKeyId"]), self.lab.keys(self.lab.resource(OVERLAP, "User"))
        check(f"{' and '.join(keys)} can be used", keys == dict.fromkeys((live, *others), "Active"), keys)
        return live

    def look(self, state: State) -> None:
        """What the handlers themselves answer to those who have only the key's id, or nothing."""
        schema = read(SCHEMA)
        [identifier] = names(schema, "primaryIdentifier")
        self.begin("READ and LIST", f"asking the handlers, through the Lambda API, for {identifier}={state.key}")
        answer, listing = self.lab.handle("READ", {identifier: state.key}), self.lab.handle("LIST", {})
        statuses = answer["status"], listing["status"]
        check("both succeed", statuses == ("SUCCESS",) * 2, (answer.get("message"), listing.get("message")))
        model = answer["resourceModel"]
        row("Ref", model[identifier])
        for name in names(schema, "readOnlyProperties"):
            # A key without a PgpKey has no encrypted attributes.
            if name in model:
                row(f"Fn::GetAtt {name}", model[name])
        check("READ finds the secret by the key's id alone", model[SECRET] == state.secret)
        listed = [each[identifier] for each in listing["resourceModels"]]
        check(f"LIST lists {', '.join(listed)}", listed == [state.key])

    def tell(self) -> None:
        """Every step; an exception or an exit when one goes wrong."""
        key = self.deploy("create", EXAMPLES / "basic.yml")
        key = self.rotate(key, "rotate: Serial is 1", 1)
        old = self.rotate(key, "rotate: Serial is 2", 2)

        key = self.deploy("deactivate", EXAMPLES / "rotation.yml", Status="Inactive")
        check("same key, same secret, now inactive", key[2:5] == (old.key, old.secret, "Inactive"))
        check("no second key was made for it", key.most_keys == 1, self.counts())

        old, template = key, self.edited("rotation-and-no-such-role.yml", "Outputs:\n", BROKEN)
        key = self.deploy("break: Serial is 3", template, breaks=True, Serial=3)
        rolled_back = key[1:5] == ("UPDATE_ROLLBACK_COMPLETE", *old[2:5])
        check("the rollback left the old key with its secret, still inactive", rolled_back)
        check("and deleted the new one that there had been", key.most_keys == 2, self.counts())
        self.look(key)

        blue = self.overlap("Blue")
        green = self.overlap("BlueToGreen", blue)
        check("the secret has a new key under the same name, and who has read the old one can go on", green != blue)
        check("the old key is gone", self.overlap("Green") == green)

        self.begin("delete", f"deleting the stacks {STACK} and {OVERLAP}")
        result = self.lab.delete(STACK)
        check(f"both are {result}", result == self.lab.delete(OVERLAP) == "DELETE_COMPLETE")
        self.states.append(State("delete", result, most_keys=max(self.counts(), default=0)))
        left = self.keys(), self.secrets(), self.lab.users()
        check(f"left are {len(left[0])} keys, {len(left[1])} secrets, {len(left[2])} users", not any(left), left)

        say("\n" + TABLE.format("step", "stack", "Ref", SECRET, "Status", "keys at most"))
        for state in self.states:
            say(TABLE.format(*state._replace(secret=masked(state.secret))))


def main() -> None:
    """Tells the story on an engine of its own, which ends with it."""
    isolate()
    stop_on_signals()
    say("== starting the CloudFormation engine, the Lambda API and the handlers on free ports of this machine")
    with tempfile.TemporaryDirectory() as directory, laboratory(Path(directory)) as lab:
        Story(lab, Path(directory)).tell()
    say("\n== nothing is left, and nothing is running any more")


if __name__ == "__main__":
    main()
