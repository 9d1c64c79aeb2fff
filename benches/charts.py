"""Bar charts as SVG, which GitHub shows in a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LABELS, FIGURES, ROW = 760, 250, 80, 24


@dataclass(frozen=True)
class Bar:
    """One bar, of this project or of another."""

    label: str
    value: float
    own: bool


def bars(title: str, charted: Sequence[Bar], mark: float | None = None) -> str:
    """Return a chart of horizontal bars from zero, with a line at `mark`."""
    scale = (WIDTH - LABELS - FIGURES) / max(bar.value for bar in charted)
    height = ROW * (len(charted) + 2)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        'font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="8" y="{ROW - 6}" font-weight="bold">{escape(title)}</text>',
    ]
    for row, bar in enumerate(charted, start=1):
        y, width = row * ROW, bar.value * scale
        parts += [
            f'<text x="{LABELS - 8}" y="{y + 16}" text-anchor="end">{escape(bar.label)}</text>',
            f'<rect x="{LABELS}" y="{y + 3}" width="{width:.1f}" height="{ROW - 6}" '
            f'fill="{"#b7410e" if bar.own else "#8a9ba8"}"/>',
            f'<text x="{LABELS + width + 6:.1f}" y="{y + 16}">{bar.value:.3g}</text>',
        ]
    if mark is not None:
        x = LABELS + mark * scale
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{ROW}" y2="{height - ROW}" stroke="black"/>')
    return "\n".join([*parts, "</svg>", ""])
