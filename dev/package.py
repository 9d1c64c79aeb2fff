"""`make package`: what `cfn submit` uploads to the registry, under a type name of your own.

The project is staged under target/package, so that another name leaves the checkout as it is. The stage has no
Cargo.toml of its own: `cfn generate` finds this workspace's above it.
"""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

from checkout import ROOT, SCHEMA, TOOLS

BINARY = ROOT / "target/lambda/iam-access-key/bootstrap"
STAGES = ROOT / "target/package"

# RegisterType's own pattern, and the organizations that it reserves (API reference, RegisterType, TypeName).
TYPE_NAME = re.compile(r"[A-Za-z0-9]{2,64}::[A-Za-z0-9]{2,64}::[A-Za-z0-9]{2,64}")
RESERVED = ("Alexa", "Amazon", "AMZN", "AWS", "Custom", "Dev")


class RefusedTypeNameError(ValueError):
    """The registry would not take the type name."""


def check_type_name(type_name: str) -> None:
    """Raise RefusedTypeNameError, with the reason, for a name that the registry does not take from an account."""
    if not TYPE_NAME.fullmatch(type_name):
        raise RefusedTypeNameError(
            f"{type_name!r} is not a type name: it has three parts of 2 to 64 letters and digits each, "
            "as in Acme::IAM::AccessKey"
        )
    organization = type_name.split("::")[0]
    if organization.lower() in (reserved.lower() for reserved in RESERVED):
        raise RefusedTypeNameError(
            f"{type_name} cannot be registered: {organization} is reserved, as are {', '.join(RESERVED)}. "
            "Start it with a name of your own, as in Acme::IAM::AccessKey"
        )


def stage(type_name: str, binary: Path = BINARY, stages: Path = STAGES) -> Path:
    """Return a fresh copy of what `cfn` reads of the project, under another type name, generated files and all."""
    file_name = type_name.lower().replace("::", "-")
    folder = stages / file_name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "inputs", folder / "inputs")
    settings = json.loads((ROOT / ".rpdk-config").read_text())
    settings["typeName"] = type_name
    # Relative: the settings are part of the package, and no path of this machine belongs there.
    settings["settings"]["binary"] = os.path.relpath(binary, folder)
    (folder / ".rpdk-config").write_text(json.dumps(settings, indent=4) + "\n")
    # `cfn` will not start without a schema; the plugin writes the one of the model in its place.
    schema = json.loads(SCHEMA.read_text())
    (folder / f"{file_name}.json").write_text(json.dumps({**schema, "typeName": type_name}))
    cfn(folder, "generate")
    return folder


def package(type_name: str, binary: Path = BINARY, stages: Path = STAGES) -> Path:
    """Return the zip that `cfn submit` would upload, byte for byte the same for the same binary."""
    folder = stage(type_name, binary, stages)
    cfn(folder, "submit", "--dry-run")
    made = folder / f"{folder.name}.zip"
    normalize(made)
    return made


def normalize(archive: Path) -> None:
    """Write a zip again, without what tells when and in which order its files were made."""
    with zipfile.ZipFile(archive) as made:
        files = {name: made.read(name) for name in sorted(made.namelist())}
    with zipfile.ZipFile(archive, "w") as normalized:
        for name, content in files.items():
            # An entry made so is from 1980.
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            normalized.writestr(entry, content)


def build(checkout: Path = ROOT) -> Path:
    """Build the release binary of a checkout, and return where it is."""
    # The tools are set up already, and are this checkout's for another one too.
    subprocess.run(["make", "--old-file=setup", "build"], cwd=checkout, check=True)
    return checkout / BINARY.relative_to(ROOT)


def cfn(folder: Path, *arguments: str) -> None:
    """Run the CloudFormation CLI in a folder."""
    subprocess.run([TOOLS / "cfn", *arguments], cwd=folder, check=True, stdin=subprocess.DEVNULL, timeout=600)


def main() -> int:
    """Package the project under the type name that the only argument is."""
    type_name = sys.argv[1]
    try:
        check_type_name(type_name)
        # After the check: a build takes minutes.
        build()
        made = package(type_name)
    except RefusedTypeNameError as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        return error.returncode
    print(f"package: {made.relative_to(ROOT)}, {made.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
