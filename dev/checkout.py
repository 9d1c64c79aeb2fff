"""Where things are in this checkout, and what its function is called."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".venv/bin"
SCHEMA = ROOT / "schema/aws-iam-accesskey.json"
FUNCTION = "iam-access-key"
# The properties of a model that are not shown, although nothing here is real.
SECRETS = ("SecretAccessKey", "SesSmtpPasswordV4")


def masked(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may be shown of a model."""
    return {name: "************" if name in SECRETS and value else value for name, value in model.items()}


def built_binary() -> Path:
    """Return what IAM_ACCESS_KEY_BINARY names, or else what `cargo build` makes; SystemExit if it is missing."""
    binary = Path(os.environ.get("IAM_ACCESS_KEY_BINARY", ROOT / "target/debug" / FUNCTION))
    if not binary.exists():
        raise SystemExit(f"== {binary} is missing: run `cargo build`, or set IAM_ACCESS_KEY_BINARY")
    return binary
