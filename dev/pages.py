"""What a reader of the pages copies: commands and templates."""

import re
from pathlib import Path

from checkout import ROOT

# How a command of a page begins; an indented line that begins otherwise is what one prints.
COMMAND = re.compile(r"(\(?(aws|bash|cargo|cd|docker|for|git|gpg|make|pip|sha256sum|terraform) |[A-Z]+=)")
# A line that stands at an indentation of four, with those that belong to it: of a loop, or after a backslash.
BLOCK = re.compile(r"^ {4}((?:for|while) .*\n(?: {4}.*\n)*? {4}done.*|(?:.*\\\n)*.*)$", re.MULTILINE)


def pages() -> list[Path]:
    """Return the pages that are written by hand."""
    generated = {"README.md", "tag.md"}
    docs = [page for page in sorted((ROOT / "docs").glob("*.md")) if page.name not in generated]
    return [*sorted(ROOT.glob("*.md")), *docs, ROOT / "handlers/tests/simulation/mutations/README.md"]


def commands(text: str) -> list[str]:
    """Return the commands in a page's indented blocks, each whole."""
    without_fences = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [block.replace("\n    ", "\n") for block in BLOCK.findall(without_fences) if COMMAND.match(block)]


def templates(text: str) -> list[str]:
    """Return the fenced templates of a page."""
    return re.findall(r"^```yaml\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
