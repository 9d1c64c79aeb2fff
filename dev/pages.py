"""What a reader of the pages copies: commands and templates."""

import re
from pathlib import Path

from checkout import ROOT

# How a command of a page begins; an indented line that begins otherwise is what one prints.
COMMAND = re.compile(r"(\(?(aws|bash|cargo|cd|docker|for|git|gpg|make|pip|sha256sum|terraform) |[A-Z]+=)")


def pages() -> list[Path]:
    """Return the pages that are written by hand."""
    generated = {"README.md", "tag.md"}
    docs = [page for page in sorted((ROOT / "docs").glob("*.md")) if page.name not in generated]
    return [*sorted(ROOT.glob("*.md")), *docs, ROOT / "handlers/tests/simulation/mutations/README.md"]


def commands(text: str) -> list[str]:
    """Return the commands in a page's indented blocks, each whole."""
    return [block for block in indented_blocks(text) if COMMAND.match(block)]


def indented_blocks(text: str) -> list[str]:
    """Return the lines that stand at an indentation of four, each with those that belong to it."""
    without_fences = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    blocks: list[str] = []
    goes_on = False
    for line in without_fences.splitlines():
        if not line.startswith("    "):
            goes_on = False
            continue
        line = line[4:]
        if goes_on and blocks:
            blocks[-1] += f"\n{line}"
        else:
            blocks.append(line)
        opened = re.match(r"for .*|while .*", blocks[-1]) and not blocks[-1].endswith("\ndone")
        goes_on = line.endswith("\\") or bool(opened)
    return blocks


def templates(text: str) -> list[str]:
    """Return the fenced templates of a page."""
    return re.findall(r"^```yaml\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
