import re

from checkout import ROOT


def test_every_test_that_security_md_names_is_there() -> None:
    sources = [
        path.read_text() for folder in ("runtime", "handlers", "src", "tests") for path in (ROOT / folder).rglob("*.rs")
    ]
    # A test's name is a sentence, here after the module that it is in.
    named = re.findall(r"`(?:[a-z_]+::)*([a-z0-9]+(?:_[a-z0-9]+){4,})`", (ROOT / "SECURITY.md").read_text())
    assert len(named) >= 18
    assert [name for name in named if not any(f"fn {name}(" in source for source in sources)] == []
