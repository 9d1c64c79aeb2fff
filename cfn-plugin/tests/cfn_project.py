"""A small project in a temporary folder, the real `cfn` to run in it, and a stand-in for `cargo`."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

TYPE_NAME = "Acme::IAM::AccessKey"
BINARY = "target/lambda/acme-iam-accesskey/bootstrap"

CARGO = """#!{python}
import json, pathlib, sys
stage = pathlib.Path(__file__).parent
with (stage / "calls").open("a") as calls:
    print(pathlib.Path.cwd(), *sys.argv[1:], file=calls)
sys.stderr.write((stage / "stderr").read_text())
sys.stdout.write((stage / "stdout").read_text().replace("THE_TYPE_NAME", sys.argv[-1]))
sys.exit(int((stage / "status").read_text()))
"""


def schema(type_name: str, **changes: Any) -> str:
    """Return a registry schema as the Rust model's generator prints it."""
    document = {
        "typeName": type_name,
        "description": "An access key.",
        "properties": {"Id": {"type": "string"}, "UserName": {"type": "string"}},
        "additionalProperties": False,
        "readOnlyProperties": ["/properties/Id"],
        "primaryIdentifier": ["/properties/Id"],
        "tagging": {"taggable": False},
        "typeConfiguration": {"properties": {"KmsKeyId": {"type": "string"}}, "additionalProperties": False},
        "handlers": {"create": {"permissions": ["iam:CreateAccessKey"]}},
    }
    return json.dumps(document | changes, indent=2) + "\n"


def elf(machine: int = 62, kind: int = 3, byte_order: Literal["little", "big"] = "little") -> bytes:
    """Return the header of a 64-bit ELF file of that type for that CPU, and what is no more than bytes."""
    identification = b"\x7fELF\x02" + (b"\x02" if byte_order == "big" else b"\x01") + b"\x01" + bytes(9)
    header = identification + kind.to_bytes(2, byte_order) + machine.to_bytes(2, byte_order)
    return header.ljust(64, b"\0") + b"the rest of the binary"


@dataclass
class Project:
    """A project that `cfn` is run in, and the folder that its `cargo` stands in."""

    root: Path
    tools: Path

    def write_settings(self, settings: dict[str, object] | None = None, type_name: str = TYPE_NAME) -> None:
        document = {
            "artifact_type": "RESOURCE",
            "typeName": type_name,
            "language": "rust",
            "runtime": "provided.al2023",
            "entrypoint": "bootstrap",
            "testEntrypoint": "bootstrap",
            "settings": {"protocolVersion": "2.0.0", **(settings or {})},
        }
        (self.root / ".rpdk-config").write_text(json.dumps(document))

    def write_binary(self, content: bytes, path: str = BINARY) -> Path:
        binary = self.root / path
        binary.parent.mkdir(parents=True, exist_ok=True)
        binary.write_bytes(content)
        return binary

    def write_cargo(self, stdout: str = "", stderr: str = "", status: int = 0) -> None:
        for name, content in {"stdout": stdout, "stderr": stderr, "status": str(status)}.items():
            (self.tools / name).write_text(content)
        cargo = self.tools / "cargo"
        cargo.write_text(CARGO.format(python=sys.executable))
        cargo.chmod(0o755)

    def cargo_calls(self) -> list[str]:
        calls = self.tools / "calls"
        return calls.read_text().splitlines() if calls.exists() else []

    def files(self) -> dict[str, bytes]:
        """Return every file of the project, but for the log that `cfn` always writes."""
        paths = (path for path in self.root.rglob("*") if path.is_file() and path.name != "rpdk.log")
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in sorted(paths)}

    def cfn(self, *arguments: str, answers: str = "") -> str:
        """Run the real `cfn`, which has to succeed, and return what it prints."""
        status, output = self._cfn(arguments, answers)
        assert status == 0, output
        return output

    def cfn_refuses(self, *arguments: str, answers: str = "", status: int = 1) -> str:
        """Run the real `cfn`, which has to end with a plain message, and return what it prints."""
        ended, output = self._cfn(arguments, answers)
        assert ended == status, output
        assert "Traceback" not in output and "Unhandled exception" not in output
        return output

    def _cfn(self, arguments: Sequence[str], answers: str) -> tuple[int, str]:
        result = subprocess.run(
            [Path(sys.executable).with_name("cfn"), *arguments],
            cwd=self.root,
            # No program but the stand-in for cargo.
            env={**os.environ, "PATH": str(self.tools)},
            input=answers,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=60,
        )
        return result.returncode, result.stdout
