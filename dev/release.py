"""`make release`: what a release publishes: the package, its SBOM, the templates and the checksums.

The commit is built twice, here and in a clone elsewhere, and not released unless both give the same bytes.
"""

import hashlib
import shutil
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from checkout import ROOT
from package import RefusedTypeNameError, build, check_type_name, package
from sbom import sbom

FILES = ROOT / "target/release-files"
NOTES = ROOT / "target/release-notes.md"
# With them and the package, an account gets the type without a checkout.
TEMPLATES = ["contract-test-users.yml", "registration.yml"]


class RefusedReleaseError(Exception):
    """The checkout cannot be released as it is."""


def git(*arguments: str) -> str:
    """Return what a command of Git prints."""
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, encoding="utf-8"
    ).stdout.strip()


def version() -> str:
    """Return the version of the workspace; RefusedReleaseError if the changelog has nothing to say about it."""
    found = str(tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"])
    if f"\n## [{found}] - " not in (ROOT / "CHANGELOG.md").read_text():
        raise RefusedReleaseError(f"CHANGELOG.md has no section of version {found} with a date")
    return found


def notes(named: str) -> str:
    """Return what the changelog says of a version, without the heading."""
    _, _, section = (ROOT / "CHANGELOG.md").read_text().partition(f"\n## [{named}] - ")
    return section.partition("\n")[2].partition("\n## ")[0].strip() + "\n"


def build_twice(commit: str) -> Path:
    """Return the release binary of a commit; RefusedReleaseError unless a build elsewhere gives the same bytes."""
    binary = build()
    with TemporaryDirectory() as folder:
        clone = Path(folder, "clone")
        git("clone", "--quiet", str(ROOT), str(clone))
        git("-C", str(clone), "checkout", "--quiet", "--detach", commit)
        if build(clone).read_bytes() != binary.read_bytes():
            raise RefusedReleaseError(f"Two builds of {commit} differ")
    return binary


def release(type_name: str) -> Path:
    """Return the folder with the files of the release."""
    check_type_name(type_name)
    if git("status", "--porcelain"):
        raise RefusedReleaseError("There is something that is not committed: `git status` tells what")
    named, commit = version(), git("rev-parse", "HEAD")
    tags = git("tag", "--points-at", commit).split()
    if tags and f"v{named}" not in tags:
        raise RefusedReleaseError(f"The commit has the tag {tags[0]}, and Cargo.toml the version {named}")
    committed = datetime.fromtimestamp(int(git("log", "-1", "--format=%ct", commit)), UTC)
    binary = build_twice(commit)
    made = package(type_name, binary)
    shutil.rmtree(FILES, ignore_errors=True)
    FILES.mkdir(parents=True)
    shutil.copyfile(made, FILES / f"{made.stem}-{named}.zip")
    (FILES / f"{made.stem}-{named}.cdx.json").write_text(sbom(binary, committed))
    for template in TEMPLATES:
        shutil.copyfile(ROOT / template, FILES / template)
    digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(FILES.iterdir())}
    (FILES / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in digests.items()))
    NOTES.write_text(notes(named))
    return FILES


def main() -> int:
    """Release the commit that is checked out, under the type name that the only argument is."""
    try:
        files = release(sys.argv[1])
    except (RefusedReleaseError, RefusedTypeNameError) as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(error.stderr or error, file=sys.stderr)
        return error.returncode
    print(f"two builds gave the same bytes; the release is in {files.relative_to(ROOT)}:")
    print((files / "SHA256SUMS").read_text(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
