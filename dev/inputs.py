"""The contract tests' inputs, as the package carries them: one set, and one IAM user, for each number in inputs/."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cfn_engine.aws import REGION, client
from checkout import ROOT

INPUTS = ROOT / "inputs"
FILE_NAME = re.compile(r"(inputs_\d+)_(create|update|invalid)\.json")
# What contract tests v2 put in place of `{{region}}` and the like; moto's account.
VARIABLES = {"region": REGION, "account": "123456789012", "partition": "aws"}


@dataclass(frozen=True)
class InputSet:
    """What one round of the contract tests sends: the properties of its CREATE, UPDATE and refused requests."""

    name: str
    create: dict[str, Any]
    update: dict[str, Any]
    invalid: dict[str, Any]

    @property
    def user(self) -> str:
        """The IAM user that has to exist before the tests run."""
        return str(self.create["UserName"])


def rendered(text: str) -> str:
    """Return an input file's text with its template variables replaced."""
    for name, value in VARIABLES.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    return text


def input_files(folder: Path = INPUTS) -> dict[str, dict[str, Path]]:
    """Return the files of each set, by what they are for."""
    sets: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()):
        match = FILE_NAME.fullmatch(path.name)
        if match is None:
            raise ValueError(f"{path} is no input of the contract tests")
        sets.setdefault(match[1], {})[match[2]] = path
    return sets


def input_sets(folder: Path = INPUTS) -> list[InputSet]:
    """Return every set, rendered."""
    return [
        InputSet(name, **{use: json.loads(rendered(path.read_text())) for use, path in files.items()})
        for name, files in input_files(folder).items()
    ]


def create_users(endpoint: str) -> None:
    """Create the users that the inputs name, as contract-test-users.yml does in a real account."""
    iam = client("iam", endpoint)
    for each in input_sets():
        iam.create_user(UserName=each.user)
