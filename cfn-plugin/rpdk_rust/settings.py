"""What is a project's own, from `settings` in its `.rpdk-config`."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rpdk.core.exceptions import InvalidProjectError
from rpdk.core.project import Project

SCHEMA_COMMAND = "cargo run --quiet --example generate --"
# With cargo-lambda, for the CPU that the registry runs handlers on.
BUILD_COMMAND = "cargo lambda build --release --x86-64"


@dataclass(frozen=True)
class Settings:
    """How the project makes its schema and its Lambda binary."""

    schema_command: list[str]
    """The program and arguments that print the registry schema; the type name comes after them."""
    build_command: str
    """The command that builds the binary, for messages: the plugin builds nothing."""
    binary: Path
    """The Lambda binary."""

    @classmethod
    def of(cls, project: Project) -> "Settings":
        """Return the project's settings, each checked, or its default; a wrong one raises InvalidProjectError."""
        return cls(
            schema_command=_words("schemaCommand", _setting(project, "schemaCommand", SCHEMA_COMMAND)),
            build_command=_setting(project, "buildCommand", BUILD_COMMAND),
            # As cargo-lambda lays it out when the binary is named after the type.
            binary=project.root / _setting(project, "binary", f"target/lambda/{project.hypenated_name}/bootstrap"),
        )


def _setting(project: Project, name: str, default: str) -> str:
    value: Any = project.settings.get(name, default)
    if not isinstance(value, str) or not value.strip():
        raise InvalidProjectError(
            f'"{name}" in the settings of .rpdk-config is {json.dumps(value)}, but has to be a string that is not '
            f"empty, as in {json.dumps(default)}."
        )
    return value


def _words(name: str, command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise InvalidProjectError(
            f'"{name}" in the settings of .rpdk-config is {json.dumps(command)}, which is no command: {error}.'
        ) from error
