"""The resource types of this repository that the contract tests are run on."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cfn_engine.aws import client
from checkout import ROOT
from contract_v2.resource_type import ResourceType
from schema_rules import RELEASED

from inputs import InputSet, create_users, input_files, input_sets


@dataclass(frozen=True)
class Project:
    """A project of the CloudFormation CLI, and what its contract tests need."""

    folder: Path
    """Where `.rpdk-config`, the schema and `inputs/` are."""
    prepare: Callable[[str], None]
    """Makes what has to be in the account before the tests, at an endpoint of AWS."""
    add_strangers: Callable[[str, ResourceType], None]
    """Makes resources that no test has made, at an endpoint of AWS, or with the handlers."""
    valid: frozenset[str]
    """The properties of the invalid inputs that the schema takes, as `PgpKey`: the handlers see what is wrong."""
    released: Path | None = None
    """The schema of the last version that was registered."""
    exceptions: frozenset[str] = frozenset()
    """AWS's rules for schemas that the type does not keep."""
    has_page: bool = False
    """Whether what comes of contract tests v2 is written to docs/contract-tests.md."""

    @property
    def schema(self) -> Path:
        """The registry schema, where the CLI looks for it."""
        type_name: str = json.loads((self.folder / ".rpdk-config").read_text())["typeName"]
        return self.folder / f"{type_name.lower().replace('::', '-')}.json"

    def input_files(self) -> dict[str, dict[str, Path]]:
        """Return the files of each input set, by what they are for."""
        return input_files(self.folder / "inputs")

    def input_sets(self) -> list[InputSet]:
        """Return every input set, rendered."""
        return input_sets(self.folder / "inputs")


def add_keys_of_others(endpoint: str, handlers: ResourceType) -> None:
    """Add keys of others: ones that this type has not made, and ones of other stacks, with a secret and without."""
    iam, secrets = client("iam", endpoint), client("secretsmanager", endpoint)
    for user in ("somebody+else@example.com", "nobody"):
        iam.create_user(UserName=user)
    for status in ("Active", "Inactive"):
        key = iam.create_access_key(UserName="somebody+else@example.com")["AccessKey"]["AccessKeyId"]
        iam.update_access_key(UserName="somebody+else@example.com", AccessKeyId=key, Status=status)
    for inputs in input_sets():
        user = f"other-stack-{inputs.name}"
        iam.create_user(UserName=user)
        _kept, lost = (handlers.create({**inputs.create, "UserName": user}).succeeded().model for _ in range(2))
        secrets.delete_secret(SecretId=lost["SecretArn"], ForceDeleteWithoutRecovery=True)


def add_note_of_others(_endpoint: str, handlers: ResourceType) -> None:
    """Add a note of another stack."""
    handlers.create({"Name": "other-stack", "Text": "Bread"}).succeeded()


# A note calls nothing in AWS, and carries no tags.
HANDLERS_WITH_PERMISSIONS = {
    f"ensure_resource_{action}_handler_exists_and_have_permissions"
    for action in ("create", "read", "update", "delete", "list")
}

# By the name of the binary.
PROJECTS = {
    "iam-access-key": Project(
        ROOT, create_users, add_keys_of_others, frozenset({"UserName", "PgpKey"}), released=RELEASED, has_page=True
    ),
    "acme-notes-note": Project(
        ROOT / "runtime/examples/note",
        prepare=lambda _endpoint: None,
        add_strangers=add_note_of_others,
        valid=frozenset({"Text"}),
        exceptions=frozenset({*HANDLERS_WITH_PERMISSIONS, "ensure_tagging_is_specified"}),
    ),
}
