from pathlib import Path

import pytest
import release
from release import RefusedReleaseError, version
from surroundings import ROOT


def test_the_changelog_has_a_section_of_the_version_that_cargo_toml_names() -> None:
    assert version() in (ROOT / "CHANGELOG.md").read_text()


def test_a_version_that_the_changelog_does_not_know_is_not_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Cargo.toml").write_text('[workspace.package]\nversion = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n## [1.2.2] - 2026-11-24\n")
    monkeypatch.setattr(release, "ROOT", tmp_path)
    with pytest.raises(RefusedReleaseError, match=r"no section of version 1\.2\.3"):
        version()
