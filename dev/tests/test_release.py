from pathlib import Path

import pytest
import release
from checkout import ROOT
from release import RefusedReleaseError, notes, version


def test_the_changelog_has_a_section_of_the_version_that_cargo_toml_names() -> None:
    assert version() in (ROOT / "CHANGELOG.md").read_text()


def test_the_notes_of_a_release_are_its_section_of_the_changelog_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest, first = "## [1.1.0] - 2026-12-24\n\n### Fixed\n\n- A message.\n", "## [1.0.0] - 2026-11-24\n\nThe first.\n"
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n## [Unreleased]\n\n{newest}\n{first}")
    monkeypatch.setattr(release, "ROOT", tmp_path)
    assert notes("1.1.0") == "### Fixed\n\n- A message.\n"
    assert notes("1.0.0") == "The first.\n"


def test_a_version_that_the_changelog_does_not_know_is_not_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Cargo.toml").write_text('[workspace.package]\nversion = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n## [1.2.2] - 2026-11-24\n")
    monkeypatch.setattr(release, "ROOT", tmp_path)
    with pytest.raises(RefusedReleaseError, match=r"no section of version 1\.2\.3"):
        version()
