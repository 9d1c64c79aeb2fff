"""`make recording`: docs/demo.svg, a picture of what `make demo` prints."""

import io
import re
import subprocess
import sys

from checkout import ROOT
from rich.console import Console
from rich.text import Text

PICTURE = ROOT / "docs/demo.svg"
COLUMNS = 120
# The steps that show most, and what comes after the last.
SHOWN = ("== rotate: Serial is 2", "== break", "== overlap: BlueToGreen", "== overlap: Green", "== nothing")
STYLES = {r"^== .*": "bold", r"^ +\$ .*": "cyan", r"\bok: .*": "green"}


def picture(printed: str) -> str:
    """Return an SVG of the demo's output, without the steps that are like those shown."""
    steps = printed.strip().split("\n\n")
    # The table of all steps has no heading.
    shown = ["$ make demo\n…"] + [step for step in steps if step.startswith(SHOWN) or "keys at most" in step]
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for line in "\n\n".join(shown).splitlines():
        text = Text(line)
        for pattern, style in STYLES.items():
            text.highlight_regex(pattern, style)
        console.print(text, no_wrap=True, overflow="ellipsis")
    svg = console.export_svg(title="make demo")
    # A picture fetches no fonts; any monospaced one will do.
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE)


def main() -> None:
    """Play the demo, and write its picture."""
    demo = subprocess.run([sys.executable, "dev/demo.py"], cwd=ROOT, check=True, stdout=-1, encoding="utf-8")
    PICTURE.write_text(picture(demo.stdout))


if __name__ == "__main__":
    main()
