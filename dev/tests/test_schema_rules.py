import ast
import subprocess
from pathlib import Path

from surroundings import ROOT

GUARD_RAIL = str(ROOT / ".venv/guard-rail/bin/guard-rail")


def test_the_schema_complies_with_every_rule_that_aws_reviews_types_with(tmp_path: Path) -> None:
    schema = (ROOT / "schema/aws-iam-accesskey.json").as_uri()
    # It writes a log where it runs, and its exit status says nothing of the rules. With --json it prints Python.
    command = [GUARD_RAIL, "--json", "--schema", schema]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, encoding="utf-8", timeout=60)
    (result,) = ast.literal_eval(run.stdout)
    assert len(result["compliant"]) >= 15
    assert (result["non_compliant"], result["warning"]) == ({}, {})
