"""The crates of this project, as Cargo resolves them: for the check of their licences, and for the release's SBOM."""

import json
import subprocess
import tomllib
from dataclasses import dataclass
from typing import Any

from checkout import ROOT

TARGET = "x86_64-unknown-linux-gnu"
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"


@dataclass(frozen=True)
class Crate:
    """A package of Cargo.lock that this project needs on the platform of the registry."""

    name: str
    version: str
    license: str
    """An SPDX expression."""
    source: str | None
    """Where Cargo gets it, or nothing for a crate of this workspace."""
    checksum: str | None
    """SHA-256, in hexadecimal, of what crates.io serves."""
    needs: frozenset[tuple[str, str]]
    """Name and version of the crates that it names itself."""

    @property
    def key(self) -> tuple[str, str]:
        """Its name and version."""
        return self.name, self.version


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
    packages: dict[str, dict[str, Any]] = {package["id"]: package for package in metadata["packages"]}

    def key(package_id: str) -> tuple[str, str]:
        return packages[package_id]["name"], packages[package_id]["version"]

    return {
        key(node["id"]): Crate(
            *key(node["id"]),
            # Older crates separate by a slash.
            license=(packages[node["id"]]["license"] or "").replace("/", " OR "),
            source=packages[node["id"]]["source"],
            checksum=checksums[key(node["id"])],
            needs=frozenset(map(key, node["dependencies"])),
        )
        for node in metadata["resolve"]["nodes"]
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
