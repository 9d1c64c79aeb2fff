"""The release's software bill of materials: what the binary is built from, in CycloneDX's JSON."""

import hashlib
import uuid
from datetime import UTC, datetime
from pathlib import Path

from checkout import FUNCTION
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from dependencies import Crate, built_in
from packageurl import PackageURL

SCHEMA_VERSION = SchemaVersion.V1_6


def sbom(binary: Path, committed: datetime) -> str:
    """Return the SBOM of a binary. The same binary of a commit of the same time has the same SBOM, byte for byte."""
    crates = built_in()
    components = {crate[:2]: component(crate) for crate in crates}
    [root] = [each for each in components.values() if each.name == FUNCTION]
    digest = hashlib.sha256(binary.read_bytes()).hexdigest()
    root.type = ComponentType.APPLICATION
    root.hashes = [HashType(alg=HashAlgorithm.SHA_256, content=digest)]
    bom = Bom(
        components=[each for each in components.values() if each is not root],
        metadata=BomMetaData(component=root, timestamp=committed.astimezone(UTC)),
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"{root.purl}#{digest}"),
    )
    for crate in crates:
        needed = [components[key] for key in sorted(crate.needs) if key in components]
        bom.register_dependency(components[crate[:2]], needed)
    return make_outputter(bom, OutputFormat.JSON, SCHEMA_VERSION).output_as_string(indent=2) + "\n"


def component(crate: Crate) -> Component:
    """Return a crate as a component of the binary."""
    purl = PackageURL("cargo", name=crate.name, version=crate.version)
    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=crate.checksum)] if crate.checksum else []
    return Component(
        type=ComponentType.LIBRARY,
        name=crate.name,
        version=crate.version,
        bom_ref=str(purl),
        purl=purl,
        hashes=hashes,
        licenses=[LicenseFactory().make_from_string(crate.license)],
    )
