import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from checkout import ROOT
from cyclonedx.validation.json import JsonStrictValidator
from dependencies import CRATES_IO, Crate, built_in, crates
from license_expression import Licensing, get_spdx_licensing
from sbom import SCHEMA_VERSION, sbom

SPDX: Licensing = get_spdx_licensing()
EXAMPLE = "acme-notes-note"
POLICY = tomllib.loads((ROOT / "deny.toml").read_text())


@pytest.fixture(scope="module")
def every_crate() -> list[Crate]:
    return list(crates().values())


def test_every_crate_can_be_had_under_a_license_that_deny_toml_allows(every_crate: list[Crate]) -> None:
    allowed = set(POLICY["licenses"]["allow"])

    def is_allowed(crate: Crate) -> bool:
        expression = SPDX.parse(crate.license, validate=True)
        choices = {symbol: SPDX.TRUE if symbol.render() in allowed else SPDX.FALSE for symbol in expression.symbols}
        return bool(expression.subs(choices, simplify=True) == SPDX.TRUE)

    # Under which license a project is that `cfn init` makes of the example, its owner says.
    licensed = [crate for crate in every_crate if crate.name != EXAMPLE]
    refused = [f"{crate.name} {crate.version}: {crate.license}" for crate in licensed if not is_allowed(crate)]
    assert refused == []
    everything = " ".join(crate.license for crate in licensed)
    assert [license for license in allowed if license not in everything] == [], "no crate has these"


def test_every_crate_comes_from_crates_io_or_this_workspace(every_crate: list[Crate]) -> None:
    assert {crate.source for crate in every_crate} == {None, CRATES_IO}
    assert all(crate.checksum for crate in every_crate if crate.source)


def test_no_crate_is_one_that_deny_toml_bans(every_crate: list[Crate]) -> None:
    banned = {each["crate"] for each in POLICY["bans"]["deny"]}
    assert banned and not banned & {crate.name for crate in every_crate}


def test_the_sbom_is_valid_reproducible_and_names_the_binarys_crates_alone(tmp_path: Path) -> None:
    binary = tmp_path / "bootstrap"
    binary.write_bytes(b"the same")
    made = sbom(binary, datetime(2026, 1, 1, tzinfo=UTC))
    assert JsonStrictValidator(SCHEMA_VERSION).validate_str(made) is None
    assert sbom(binary, datetime(2026, 1, 1, tzinfo=UTC)) == made
    names = {crate.name for crate in built_in()}
    assert {"access-key-handlers", "aws-lc-sys", "rustls", "pgp"} <= names
    assert not names & {"gnupg", "proptest", "libtest-mimic"}
    assert str(ROOT) not in made and "file:" not in made
