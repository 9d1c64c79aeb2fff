"""`make schema`: write what is generated from the model and committed."""

import shutil

from package import own_type_name, stage
from surroundings import ROOT

# In the stage, and in the project.
GENERATED = {
    "aws-iam-accesskey.json": "schema/aws-iam-accesskey.json",
    "docs/README.md": "docs/README.md",
    "resource-role.yaml": "resource-role.yaml",
}


def main() -> None:
    """Generate in a stage, where `cfn generate` cannot remove anything, and copy."""
    folder = stage(own_type_name())
    for made, committed in GENERATED.items():
        (ROOT / committed).parent.mkdir(exist_ok=True)
        shutil.copyfile(folder / made, ROOT / committed)


if __name__ == "__main__":
    main()
