"""AWS's rules for registry schemas (`guard-rail`): for one schema, and for a schema that follows another."""

import ast
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from checkout import ROOT

GUARD_RAIL = ROOT / ".venv/guard-rail/bin/guard-rail"
# The schema of the last version that was registered. Who registers another puts its schema here.
RELEASED = ROOT / "dev/contract_v2/released-schema.json"

Schema = Mapping[str, Any]


def read(path: Path) -> Schema:
    """Return a schema file's content."""
    schema: Schema = json.loads(path.read_text())
    return schema


def broken_rules(schema: Schema) -> list[str]:
    """Return what AWS's review of new types has against a schema, warnings included."""
    return _findings([schema])


def broken_compatibility(released: Schema, schema: Schema) -> list[str]:
    """Return what in a schema breaks what was valid before it, warnings included: a new pattern is one.

    The rules look at a resource's properties. So the settings of the type configuration are held to them as if they
    were properties of a resource too.
    """
    settings = ({"properties": each["typeConfiguration"]["properties"]} for each in (released, schema))
    return _findings([released, schema], "--stateful") + _findings(list(settings), "--stateful")


def _findings(schemas: list[Schema], *options: str) -> list[str]:
    # It writes a log where it runs, and its exit status says nothing of the rules. With --json it prints Python, after
    # whatever else it prints.
    with TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.json") for number in range(len(schemas))]
        for path, schema in zip(paths, schemas, strict=True):
            path.write_text(json.dumps(schema))
        command: list[str | Path] = [GUARD_RAIL, "--json", *options, "--schema", *(path.as_uri() for path in paths)]
        run = subprocess.run(command, cwd=folder, capture_output=True, check=True, encoding="utf-8", timeout=60)
    (result,) = ast.literal_eval(run.stdout.strip().splitlines()[-1])
    if not any(result.values()):
        raise RuntimeError(f"guard-rail has applied no rule:\n{run.stdout}{run.stderr}")
    broken = {**result["non_compliant"], **result["warning"]}
    return [f"{rule}: {each['message']} ({each['path']})" for rule, findings in broken.items() for each in findings]
