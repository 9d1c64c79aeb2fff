"""The crates of this project, as Cargo resolves them: for the check of their licences, and for the release's SBOM."""

import json
import subprocess
import tomllib
from typing import NamedTuple

from checkout import ROOT

TARGET = "x86_64-unknown-linux-gnu"
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"


class Crate(NamedTuple):
    """A package of Cargo.lock that this project needs on the platform of the registry."""

    name: str
    version: str
    # An SPDX expression.
    license: str
    # Where Cargo gets it, or nothing for a crate of this workspace.
    source: str | None
    # SHA-256, in hexadecimal, of what crates.io serves.
    checksum: str | None
    # Name and version of the crates that it names itself.
    needs: frozenset[tuple[str, str]]


def cargo(*arguments: str) -> str:
    """Return what a command of Cargo prints."""
    return subprocess.run(
        ["cargo", *arguments], cwd=ROOT, check=True, capture_output=True, encoding="utf-8", timeout=300
    ).stdout


def crates() -> dict[tuple[str, str], Crate]:
    """Return every crate, those for tests too, by name and version."""
    metadata = json.loads(cargo("metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET))
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    checksums = {(package["name"], package["version"]): package.get("checksum") for package in lock["package"]}
    keys = {package["id"]: (package["name"], package["version"]) for package in metadata["packages"]}
    nodes = metadata["resolve"]["nodes"]
    needs = {node["id"]: frozenset(keys[each] for each in node["dependencies"]) for node in nodes}
    return {
        (key := keys[package["id"]]): Crate(
            *key,
            # Older crates separate by a slash.
            license=(package["license"] or "").replace("/", " OR "),
            source=package["source"],
            checksum=checksums[key],
            needs=needs[package["id"]],
        )
        for package in metadata["packages"]
        if package["id"] in needs
    }


def built_in() -> list[Crate]:
    """Return the crates that the binary is built from: build scripts and procedural macros too, what tests need not."""
    everything = crates()
    lines = cargo(
        *["tree", "--locked", "--package", "iam-access-key", "--edges", "normal,build"],
        *["--target", TARGET, "--prefix", "none", "--no-dedupe", "--format", "{p}"],
    ).splitlines()
    # As `serde v1.0.228 (proc-macro)`.
    found = {(line.split()[0], line.split()[1].removeprefix("v")) for line in lines}
    return [everything[key] for key in sorted(found)]
