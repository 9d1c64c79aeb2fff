"""No UPDATE strands a stack: whatever is refused, or fails after it, the rollback leaves the key as it was.

What else is wrong with a property is tested in tests/binary/rollbacks.rs.
"""

import json
from typing import Any, NamedTuple

import pytest
from lab import Lab

Properties = dict[str, Any]

# Whatever has it in it must not be quoted.
MARK = "kwijibo"
TYPE = "AWS::IAM::AccessKey"
A = {"Tags": [{"Key": "team", "Value": "a"}]}
B = {"Tags": [{"Key": "team", "Value": "b"}]}
OTHER = {"Tags": [{"Key": "owner", "Value": "b"}]}
INACTIVE = {"Status": "Inactive"}
TWO = {"Tags": [{"Key": "team", "Value": "a"}, {"Key": "stage", "Value": "test"}]}
REORDERED = {"Tags": TWO["Tags"][::-1]}
FOR_CI, FOR_DEPLOYS = {"Description": "for CI"}, {"Description": "for deploys"}

WRITES = {
    *("CreateAccessKey", "TagResource", "TagUser", "UntagResource", "UntagUser", "UpdateAccessKey", "UpdateSecret")
}
UNTAGGABLE, DENIED, INVALID = "UnauthorizedTaggingOperation", "AccessDenied", "InvalidRequest"


class Row(NamedTuple):
    """An UPDATE, and with which code it is refused."""

    what: str
    before: Properties
    after: Properties
    # None: it succeeds, and the stack fails after it.
    refused: str | None
    # What is denied from the UPDATE on, the rollback included.
    denied: tuple[str, ...] = ()
    # "stored", "deleted" by hand, or never there, because the key was "imported".
    secret: str = "stored"
    stack_tags: tuple[Properties, Properties] = ({}, {})

    def untold(self) -> set[str]:
        """What stays where an UPDATE that succeeded is undone with the old properties as previous ones.

        Then the request changes nothing by its own words. The secret's value tells which tags it had. Nothing tells
        whether it was a person who deactivated the key.
        """
        of_status = {"Status", "keys"} if "Status" in self.after else set()
        return of_status | ({"tags of the secret"} if len(set(map(str, self.stack_tags))) > 1 else set())


LOST = "GetSecretValue"
STACK_TAGS: tuple[Properties, Properties] = ({"unit": "1"}, {"unit": "2"})
OTHER_STACK_TAGS: tuple[Properties, Properties] = ({"unit": "1"}, {"part": "2"})
# Of a key without a stored secret, whose tags are kept nowhere.
UNSTORED: list[tuple[str, Properties, Properties]] = [
    ("a status", {}, INACTIVE),
    ("new tags", {}, A),
    ("new tags and a status", {}, A | INACTIVE),
    ("other tags", A, B),
    ("no tags any more", A, {}),
    ("other tags and a status", A, B | INACTIVE),
    ("tags in another order", TWO, REORDERED),
    ("a description", {}, FOR_CI),
]
ROWS = [
    Row("wrong tags and a status", A, INACTIVE | {"Tags": {"team": MARK}}, INVALID),
    Row("a wrong status and tags", A, B | {"Status": MARK}, INVALID),
    Row("the first tags are wrong", {}, {"Tags": {"team": MARK}}, INVALID),
    Row("a status", {}, INACTIVE, None),
    Row("other tags", A, B, None),
    Row("other keys of tags", A, OTHER, None),
    Row("new tags", {}, A, None),
    Row("no tags any more", A, {}, None),
    Row("tags in another order", TWO, REORDERED, None),
    Row("other tags and a status", A, B | INACTIVE, None),
    Row("other stack tags", A, A, None, stack_tags=STACK_TAGS),
    Row("other stack tags and tags", A, B, None, stack_tags=OTHER_STACK_TAGS),
    Row("new tags, TagResource denied", {}, A, UNTAGGABLE, ("TagResource",)),
    Row("other tags, TagResource denied", A, B, UNTAGGABLE, ("TagResource",)),
    Row("other keys of tags, TagResource denied", A, OTHER, UNTAGGABLE, ("TagResource",)),
    Row("other tags and a status, TagResource denied", A, B | INACTIVE, UNTAGGABLE, ("TagResource",)),
    Row("tags in another order, TagResource denied", TWO, REORDERED, None, ("TagResource", "UntagResource")),
    Row("a status, all tagging denied", A, A | INACTIVE, None, ("TagResource", "UntagResource")),
    Row("no tags any more, UntagResource denied", A, {}, UNTAGGABLE, ("UntagResource",)),
    Row("other keys of tags, UntagResource denied", A, OTHER, UNTAGGABLE, ("UntagResource",)),
    Row("no tags any more and a status, UntagResource denied", A, INACTIVE, UNTAGGABLE, ("UntagResource",)),
    Row("other tags, all tagging denied", A, OTHER, UNTAGGABLE, ("TagResource", "UntagResource")),
    Row("other tags, UpdateSecret denied", A, B, DENIED, ("UpdateSecret",)),
    Row("other keys of tags, UpdateSecret denied", A, OTHER, DENIED, ("UpdateSecret",)),
    Row("other tags and a status, UpdateSecret denied", A, B | INACTIVE, DENIED, ("UpdateSecret",)),
    Row("other stack tags, UpdateSecret denied", A, A, None, ("UpdateSecret",), "stored", STACK_TAGS),
    Row("a status, UpdateAccessKey denied", A, A | INACTIVE, DENIED, ("UpdateAccessKey",)),
    Row("other tags and a status, UpdateAccessKey denied", A, B | INACTIVE, DENIED, ("UpdateAccessKey",)),
    Row("other tags, UpdateAccessKey denied", A, B, None, ("UpdateAccessKey",)),
    Row("other stack tags, TagResource denied", A, A, UNTAGGABLE, ("TagResource",), "stored", STACK_TAGS),
    Row("a new stack tag, TagResource denied", A, A, UNTAGGABLE, ("TagResource",), "stored", OTHER_STACK_TAGS),
    Row("stack tags and status, TagResource denied", A, A | INACTIVE, UNTAGGABLE, ("TagResource",), "stored",
        STACK_TAGS),
    Row("other tags, unreadable secret", A, B, DENIED, (LOST,)),
    Row("new tags, unreadable secret", {}, A, DENIED, (LOST,)),
    Row("other tags and a status, unreadable secret", A, B | INACTIVE, DENIED, (LOST,)),
    Row("a status, unreadable secret", A, A | INACTIVE, None, (LOST,)),
    Row("tags in another order, unreadable secret", TWO, REORDERED, None, (LOST,)),
    Row("other stack tags, unreadable secret", A, A, None, (LOST,), "stored", STACK_TAGS),
    Row("other tags, unreadable secret, all tagging denied", A, B, DENIED, (LOST, "TagResource", "UntagResource")),
    Row("a description", {}, FOR_CI, None),
    Row("another description", FOR_CI, FOR_DEPLOYS, None),
    Row("no description any more", FOR_CI, {}, None),
    Row("a description, other tags and a status", A, FOR_CI | B | INACTIVE, None),
    Row("a description, TagUser denied", A, A | FOR_CI, UNTAGGABLE, ("TagUser",)),
    Row("another description and a status, TagUser denied", FOR_CI, FOR_DEPLOYS | INACTIVE, UNTAGGABLE, ("TagUser",)),
    Row("no description any more, UntagUser denied", FOR_CI, {}, UNTAGGABLE, ("UntagUser",)),
    Row("a description and other tags, TagResource denied", A, B | FOR_CI, UNTAGGABLE, ("TagResource",)),
    Row("another description and other tags, UpdateSecret denied", A | FOR_CI, B | FOR_DEPLOYS, DENIED,
        ("UpdateSecret",)),
    Row("another description and a status, UpdateAccessKey denied", FOR_CI, FOR_DEPLOYS | INACTIVE, DENIED,
        ("UpdateAccessKey",)),
    Row("another description, unreadable secret", FOR_CI, FOR_DEPLOYS, DENIED, (LOST,)),
    Row("a status, tags of users denied", FOR_CI, FOR_CI | INACTIVE, None, ("TagUser", "UntagUser", "ListUserTags")),
    Row("wrong tags, unreadable secret", A, {"Tags": [MARK]}, INVALID, (LOST,)),
    *[
        Row(f"{what}, the secret was deleted", before, after, None, secret="deleted")
        for what, before, after in UNSTORED
    ],
    *[
        Row(f"{what}, the key was imported", before, after, None, secret="imported")
        for what, before, after in UNSTORED
    ],
    Row("wrong tags of an imported key", {}, {"Tags": [MARK]}, INVALID, secret="imported"),
    Row("other stack tags of an imported key", {}, {}, None, (), "imported", STACK_TAGS),
]  # fmt: skip


class Key:
    """A key in a stack of its own."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab, self.name = lab, name
        lab.iam.create_user(UserName=name)

    def template(self, properties: Properties, *, breaks: bool = False) -> str:
        """The stack's template. What breaks comes after the key."""
        key = {"Type": TYPE, "DeletionPolicy": "Delete", "Properties": {"UserName": self.name, **properties}}
        broken = {"Broken": {"Type": "Acme::No::Type", "DependsOn": "Key"}} if breaks else {}
        return json.dumps({"Resources": {"Key": key, **broken}})

    def create(self, row: Row) -> None:
        """Makes or imports the key."""
        stack = {
            "StackName": self.name,
            "TemplateBody": self.template(row.before),
            "Tags": [{"Key": key, "Value": value} for key, value in row.stack_tags[0].items()],
        }
        if row.secret == "imported":
            self.id = self.lab.iam.create_access_key(UserName=self.name)["AccessKey"]["AccessKeyId"]
            self.lab.age()
            resource = {"ResourceType": TYPE, "LogicalResourceId": "Key", "ResourceIdentifier": {"Id": self.id}}
            change = {"ChangeSetName": "import", "ChangeSetType": "IMPORT", "ResourcesToImport": [resource]}
            self.lab.cloudformation.create_change_set(**stack, **change)
            self.lab.cloudformation.execute_change_set(StackName=self.name, ChangeSetName="import")
        else:
            self.lab.cloudformation.create_stack(**stack)
            self.id = self.lab.resource(self.name, "Key")
        if row.secret == "deleted":
            self.lab.secrets.delete_secret(SecretId=self.lab.secret_of(self.id), ForceDeleteWithoutRecovery=True)
        self.lab.age()

    def update(self, row: Row) -> list[tuple[str, str, str]]:
        """Updates the stack, which fails, and returns the events of it."""
        before = len(self.lab.events(self.name))
        self.lab.cloudformation.update_stack(
            StackName=self.name,
            TemplateBody=self.template(row.after, breaks=True),
            Tags=[{"Key": key, "Value": value} for key, value in row.stack_tags[1].items()],
        )
        return self.lab.events(self.name)[before:]

    def state(self) -> Properties:
        """What READ answers, and what IAM and the store have."""
        model = self.lab.handle("READ", {"Id": self.id})["resourceModel"]
        arn = self.lab.secret_of(self.id)
        tags = self.lab.secrets.describe_secret(SecretId=arn).get("Tags", []) if arn else []
        return {
            **model,
            "Tags": in_order(model.get("Tags", [])),
            "tags of the secret": in_order(tags),
            "keys": self.lab.keys(self.name),
        }


def in_order(tags: list[dict[str, str]]) -> list[dict[str, str]]:
    """Tags are a set."""
    return sorted(tags, key=lambda tag: tag["Key"])


@pytest.mark.parametrize("row", ROWS, ids=[row.what for row in ROWS])
def test_a_rollback_leaves_the_key_as_it_was(lab: Lab, name: str, row: Row) -> None:
    key = Key(lab, name)
    key.create(row)
    before = key.state()
    lab.deny(*row.denied, times=99)
    for failed_as_previous in (True, False):
        lab.set_rollbacks(failed_as_previous=failed_as_previous)
        lab.forget_calls()
        events = key.update(row)
        told = failed_as_previous, events
        assert events[-1][:2] == (name, "UPDATE_ROLLBACK_COMPLETE"), told
        failed = {who: reason for who, status, reason in events if status.endswith("_FAILED")}
        assert failed.keys() == ({"Key"} if row.refused else {"Broken"}), told
        assert not row.refused or f"HandlerErrorCode: {row.refused}" in failed["Key"], told
        assert MARK not in json.dumps(events), told
        untold = set() if failed_as_previous or row.refused else row.untold()
        after = key.state()
        assert {what: after[what] for what in after.keys() - untold} == {
            what: before[what] for what in before.keys() - untold
        }, failed_as_previous
        # Where the failed properties are the previous ones, the rollback may write again what is there.
        if row.refused == INVALID and not failed_as_previous:
            assert not WRITES.intersection(call.operation for call in lab.calls()), "what is refused writes nothing"
