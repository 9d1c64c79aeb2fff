"""The resource types of this repository that the contract tests are run on, and the inputs that these send."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cfn_engine.aws import ACCOUNT, REGION, client
from checkout import FUNCTION, ROOT
from contract_v2.resource_type import ResourceType
from schema_rules import RELEASED

INPUT_FILE = re.compile(r"(inputs_\d+)_(create|update|invalid)\.json")
# What contract tests v2 put in place of `{{region}}` and the like.
VARIABLES = {"region": REGION, "account": ACCOUNT, "partition": "aws"}


@dataclass(frozen=True)
class InputSet:
    """What one round of the contract tests sends: the properties of its CREATE, UPDATE and refused requests."""

    name: str
    create: dict[str, Any]
    update: dict[str, Any]
    invalid: dict[str, Any]


def rendered(path: Path) -> str:
    """Return an input file's text with its template variables replaced."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: VARIABLES[found[1]], path.read_text())


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
        """Return the files of each input set, by what they are for; ValueError if there is any other file."""
        sets: dict[str, dict[str, Path]] = {}
        for path in sorted((self.folder / "inputs").iterdir()):
            match = INPUT_FILE.fullmatch(path.name)
            if match is None:
                raise ValueError(f"{path} is no input of the contract tests")
            sets.setdefault(match[1], {})[match[2]] = path
        return sets

    def input_sets(self) -> list[InputSet]:
        """Return every input set, rendered."""
        return [
            InputSet(name, **{use: json.loads(rendered(path)) for use, path in files.items()})
            for name, files in self.input_files().items()
        ]


def create_users(endpoint: str) -> None:
    """Create the users that the inputs name, as contract-test-users.yml does in a real account."""
    iam = client("iam", endpoint)
    for inputs in PROJECTS[FUNCTION].input_sets():
        iam.create_user(UserName=inputs.create["UserName"])


def add_keys_of_others(endpoint: str, handlers: ResourceType) -> None:
    """Add keys of others: ones that this type has not made, and ones of other stacks, with a secret and without."""
    iam, secrets = client("iam", endpoint), client("secretsmanager", endpoint)
    for user in ("somebody+else@example.com", "nobody"):
        iam.create_user(UserName=user)
    for status in ("Active", "Inactive"):
        key = iam.create_access_key(UserName="somebody+else@example.com")["AccessKey"]["AccessKeyId"]
        iam.update_access_key(UserName="somebody+else@example.com", AccessKeyId=key, Status=status)
    for inputs in PROJECTS[FUNCTION].input_sets():
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
    FUNCTION: Project(
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
