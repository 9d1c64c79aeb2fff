"""`make schema`: write what is generated from the model and committed."""

import shutil
from pathlib import Path

from package import own_type_name, stage
from surroundings import ROOT

SCHEMA = Path("schema/aws-iam-accesskey.json")
ROLE = Path("resource-role.yaml")
DOCS = Path("docs")


def generated() -> dict[Path, bytes]:
    """Generate in a stage, where `cfn generate` cannot remove anything; return what belongs where in the project."""
    folder = stage(own_type_name())
    docs = {DOCS / page.name: page.read_bytes() for page in (folder / DOCS).iterdir()}
    return {SCHEMA: (folder / SCHEMA.name).read_bytes(), ROLE: (folder / ROLE).read_bytes(), **docs}


def committed() -> dict[Path, bytes]:
    """Return the same as it is in the project."""
    docs = [DOCS / page.name for page in (ROOT / DOCS).glob("*")]
    return {path: (ROOT / path).read_bytes() for path in (SCHEMA, ROLE, *docs)}


def main() -> None:
    """Replace what is in the project by what the model generates."""
    made = generated()
    shutil.rmtree(ROOT / DOCS, ignore_errors=True)
    for path, content in made.items():
        (ROOT / path).parent.mkdir(exist_ok=True)
        (ROOT / path).write_bytes(content)


if __name__ == "__main__":
    main()
