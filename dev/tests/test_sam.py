import os
from pathlib import Path

import pytest
from sam import CannotRunError, base_image


def test_an_image_that_cannot_be_pulled_is_an_error_and_not_a_stand_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docker").write_text("#!/bin/sh\necho no route to the registry >&2\nexit 1\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    reason = "docker.*pull.* exit status 1.\nno route to the registry\n.*make sam STAND_IN=1"
    with pytest.raises(CannotRunError, match=reason), base_image({}, stand_in=False):
        pass
