import re
from pathlib import Path

import mutations
import pytest
from checkout import ROOT


@pytest.mark.parametrize("patch", mutations.patches(), ids=lambda patch: patch.name)
def test_every_patch_applies_and_in_one_place_only(patch: Path) -> None:
    mutations.apply(patch, "--check")
    text = patch.read_text()
    [file] = re.findall(r"^\+\+\+ b/(.+)$", text, flags=re.MULTILINE)
    source = (ROOT / file).read_text()
    for hunk in re.split(r"^@@ .*\n", text, flags=re.MULTILINE)[1:]:
        before = [line[1:] for line in hunk.splitlines(keepends=True) if line[0] in " -"]
        assert source.count("".join(before)) == 1, f"{patch.name}: more context is needed"


def test_the_page_has_a_row_for_every_rule() -> None:
    assert list(mutations.rows()) == [mutations.rule(patch) for patch in mutations.patches()], "run `make mutations`"
