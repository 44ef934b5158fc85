"""The style of figures and their export as SVG.

Equal data give equal bytes: element ids are salted with a constant and no date is written. Text is
kept as text, which can be searched and read aloud. The page replaces the colours below by its own,
so that figures follow its dark mode.
"""

from __future__ import annotations

import functools
import html
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from plumbline import artifacts
from plumbline.artifacts.plain_text import visible
from plumbline.reporting.rendering import words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours; each hex code has one purpose, so that a page can replace it.
INK, SOFT, RULE, PAPER = "#1c2733", "#5b6875", "#d5dae0", "#ffffff"
ACCENT = "#0b6e8f"
DIFFERS, EQUIVALENT, FAINT = "#b3261e", "#1b6e3c", "#848f9a"
_VARIABLES = {
    INK: "ink", SOFT: "soft", RULE: "rule", PAPER: "card", ACCENT: "accent", DIFFERS: "differs",
    EQUIVALENT: "equivalent", FAINT: "faint",
}  # fmt: skip

# Series: Okabe and Ito (2008), "Color Universal Design", without yellow, which is lost on white.
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")

WIDTH = 4.8  # inches; 346 pt, legible from 340 px (a telephone) upwards

# Coordinates are cut to a hundredth of a point, which is below sight; printed numbers are not.
_GEOMETRY = re.compile(r' (?:d|x|y|transform|viewBox)="[^"]*"')
_LONG = re.compile(r"(\d\.\d\d)\d+")

_FONT = "'DejaVu Sans'"
_RC: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": SOFT,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "figure.facecolor": PAPER,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "svg.hashsalt": "plumbline",
    "text.color": INK,
    "text.parse_math": False,  # a $ in a name is a $
    "xtick.color": RULE,
    "xtick.labelcolor": SOFT,
    "xtick.labelsize": 8.5,
    "ytick.color": RULE,
    "ytick.labelcolor": SOFT,
    "ytick.labelsize": 8.5,
}  # fmt: skip


P = ParamSpec("P")
T = TypeVar("T")


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """Make a drawing function run with the style of this module."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> T:
        import matplotlib

        with matplotlib.rc_context(_RC):
            return draw(*args, **kwargs)

    return drawn


@dataclass(frozen=True)
class Margins:
    """Room around the axes of one panel, in inches: for labels on the left, a title on top."""

    left: float = 0.62
    right: float = 0.15
    top: float = 0.36
    bottom: float = 0.5


def text_width(labels: Iterable[str]) -> float:
    """Return the inches that the longest label takes at the size of tick labels.

    An estimate, three tenths of a character wide of the mark at worst: measuring the drawn text
    takes three times as long as drawing the figure.
    """
    return 0.079 * max((len(label) for label in labels), default=0)


@styled
def figure(
    height: float,
    *,
    width: float = WIDTH,
    rows: int = 1,
    columns: int = 1,
    margins: Margins | None = None,
) -> tuple[Figure, list[Axes]]:
    """Return an empty figure and its axes, row by row.

    Parameters
    ----------
    height, width : float
        Inches of the whole figure, shared evenly by the panels.
    rows, columns : int
    margins : Margins, optional
        Of each panel.
    """
    from matplotlib.figure import Figure

    room = margins or Margins()
    drawn = Figure(figsize=(width, height))
    each = width / columns, height / rows
    size = (
        (each[0] - room.left - room.right) / width,
        (each[1] - room.top - room.bottom) / height,
    )
    axes = [
        drawn.add_axes(
            (
                (column * each[0] + room.left) / width,
                1 - ((row + 1) * each[1] - room.bottom) / height,
                *size,
            )
        )
        for row in range(rows)
        for column in range(columns)
    ]
    return drawn, axes


@styled
def lines(labels: Sequence[str], quantity: str, *, step: float = 0.27) -> tuple[Figure, Axes]:
    """Return an empty figure with one labelled line per row, y = 0, 1, … from the top down.

    Parameters
    ----------
    labels : sequence of str
    quantity : str
        Name of the quantity on the x axis.
    step : float
        Inches per line.
    """
    margins = Margins(left=0.25 + text_width(labels), top=0.3)
    drawn, (axis,) = figure(0.95 + step * max(len(labels), 2), margins=margins)
    axis.set_ylim(len(labels) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")
    axis.spines["left"].set_visible(False)
    axis.tick_params(axis="y", length=0, labelcolor=INK)
    axis.set_yticks(range(len(labels)), labels)
    axis.set_xlabel(words(quantity))
    axis.locator_params(axis="x", nbins=6)
    return drawn, axis


@styled
def svg(drawn: Figure) -> str:
    """Return a figure as SVG text."""
    from matplotlib.text import Text

    for text in drawn.findobj(Text):
        if (shown := visible(text.get_text(), keep="\n")) != text.get_text():
            text.set_text(shown)  # XML has no controls
    sink = io.StringIO()
    drawn.savefig(sink, format="svg", metadata={"Date": None, "Creator": None})
    found = visible(sink.getvalue().replace("\r\n", "\n"), keep="\n")  # labels of ticks, too
    found = re.sub(r"[ \t]+$", "", found, flags=re.MULTILINE)
    found = _GEOMETRY.sub(lambda attribute: _LONG.sub(r"\1", attribute[0]), found)
    return found.replace(_FONT, "'Inter', 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans'")


def save(drawn: Figure, path: Path) -> None:
    """Write a figure as an SVG file."""
    artifacts.write_text(path, svg(drawn))


def stacked(texts: Sequence[str]) -> str:
    """Return SVG texts (`svg`) as one, below each other."""
    sizes = []
    for text in texts:
        box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text)
        assert box is not None  # matplotlib always writes it
        sizes.append((float(box[1]), float(box[2])))
    width, height = max(w for w, _ in sizes), sum(h for _, h in sizes)
    parts, top = [], 0.0
    for number, (text, size) in enumerate(zip(texts, sizes, strict=True)):
        body = re.sub(r'\bid="', f'id="part{number}-', text[text.index("<svg") :])
        body = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>part{number}-", body)
        rest = body.split(">", 1)[1]
        place = f'y="{top:.2f}" width="{size[0]:g}" height="{size[1]:g}"'
        parts.append(f'<svg x="0" {place} viewBox="0 0 {size[0]:g} {size[1]:g}">{rest.strip()}')
        top += size[1]
    return (
        '<?xml version="1.0" encoding="utf-8" standalone="no"?>\n'
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width:g}pt" height="{height:g}pt" viewBox="0 0 {width:g} {height:g}" '
        'version="1.1">\n' + "\n".join(parts) + "\n</svg>\n"
    )


def png(pixels: Any) -> bytes:
    """Return an image as PNG bytes without a software or date note.

    Parameters
    ----------
    pixels : uint8 array of shape (H, W) or (H, W, 3)
    """
    from PIL import Image

    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, format="PNG", optimize=True)
    return sink.getvalue()


def inline(text: str, *, name: str, label: str) -> str:
    """Return SVG text ready to stand inside an HTML page.

    Ids get ``name`` before them, so that two figures do not share one; colours become the page's
    colours; size is left to the page; ``label`` is read aloud in place of the drawing.
    """
    body = text[text.index("<svg") :]
    body = re.sub(r"\n? *<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{name}-", body)
    body = body.replace("xlink:href=", "href=")
    for ink, variable in _VARIABLES.items():
        body = body.replace(ink, f"var(--{variable})")
    head, rest = body.split(">", 1)
    view = re.search(r'viewBox="0 0 ([\d.]+) [\d.]+"', head)
    box = re.search(r'viewBox="[^"]*"', head)
    assert view is not None  # matplotlib always writes it
    assert box is not None
    width = round(float(view[1]) * 4 / 3)  # points to CSS pixels
    spoken = html.escape(label)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {box[0]} role="img" aria-label="{spoken}" '
        f'style="max-width:{width}px">{rest.strip()}'
    )
