"""Explanations as a table of a few lines, and as a page that shows examples."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.artifacts import ModelConfig
from plumbline.errors import DataError
from plumbline.inference.explanations.images import regions
from plumbline.reporting.figures import style
from plumbline.reporting.rendering import words

if TYPE_CHECKING:
    from plumbline.inference.explanations.explain import Explanation

EXAMPLES = 12
CAVEAT = (
    "Attributions describe this model. They are no causes, and no proof that the model is right or "
    "fair: a change of the input in the world may do something else. Another method or baseline "
    "gives other attributions."
)
_BANDS = (1, 2, 4, 8, 16, 32, 64, 10**9)  # characters before the explained one


def check_files(out: Path | None, page: Path | None) -> None:
    """Check the names of the files before anything is computed.

    Raises
    ------
    DataError
        If one has another suffix, or is in a folder that does not exist.
    """
    for option, path, suffix in (("out", out, ".parquet"), ("page", page, ".html")):
        if path is not None and (path.suffix != suffix or not path.parent.is_dir()):
            raise DataError(
                f"explain: {option} must be a {suffix} file in a folder that exists, got "
                f"{path.as_posix()}; choose another"
            )


def summary(found: Explanation) -> pd.DataFrame:
    """Return the mean attributions of features, or shares of picture regions or distances."""
    if found.kind == names.TABULAR:
        return found.importance()
    if found.kind == names.IMAGES:
        shares = np.array([regions(map_of(row)) for row in found.table["attribution"]])
        mean = np.full((3, 3), np.nan) if np.isnan(shares).all() else np.nanmean(shares, axis=0)
        table = pd.DataFrame(mean, columns=["left", "centre", "right"])
        table.insert(0, "share", ["top", "middle", "bottom"])
        return table
    sums = np.zeros(len(_BANDS))
    for row in found.table["attribution"]:
        distance = np.arange(len(row), 0, -1)
        np.add.at(sums, np.searchsorted(_BANDS, distance), np.abs(row))
    total = sums.sum() or np.nan
    starts = (1, *(end + 1 for end in _BANDS[:-1]))
    texts = [
        f"{first}" if first == last else f"{first} to {last}" if last < 10**9 else f"{first} on"
        for first, last in zip(starts, _BANDS, strict=True)
    ]
    shares = sums / total
    table = pd.DataFrame({"characters_back": texts, "share": shares})
    kept: pd.DataFrame = table[(sums > 0) | np.isnan(shares)]
    return kept


def map_of(values: list[float]) -> npt.NDArray[np.float64]:
    """Return the attributions of the pixels of a square image as ``(S, S)``."""
    side = round(len(values) ** 0.5)
    return np.asarray(values).reshape(side, side)


def render(found: Explanation, model: Path, counts: str) -> str:
    """Return a page with the summary and the first examples.

    Parameters
    ----------
    found : Explanation
    model : Path
        Folder of the model.
    counts : str
        How many rows are explained, and of how many.
    """
    config = ModelConfig.read(model)
    shown = found.table.head(EXAMPLES)
    if found.kind == names.TABULAR:
        body = _bars(found)
    elif found.images is not None:
        body = _pictures(shown, found.images)
    else:
        body = "".join(_text(row) for row in shown.to_dict("records"))
    lead = (
        f"{counts}. Explained: {found.output}. Method: {found.method.replace('_', ' ')}, from "
        f"{found.baseline}."
    )
    return _PAGE.format(
        title=html.escape(f"Explanations of {config.model}"), lead=html.escape(lead),
        caveat=html.escape(CAVEAT), body=body, legend=_LEGENDS[found.kind],
        summary=summary(found).rename(columns=words).to_html(
            index=False, border=0, float_format="{:.3g}".format),
        style=_STYLE,
    )  # fmt: skip


def heat(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Return a map as colours, ``(S, S, 3)``: orange for, blue against, white 0.

    The largest absolute value of the map has the full colour.
    """
    largest = np.abs(values).max() or 1.0
    strength = (np.abs(values) / largest)[..., None]
    full = np.where(values[..., None] > 0, _FOR, _AGAINST)
    found: npt.NDArray[np.uint8] = (255 + strength * (full - 255)).round().astype(np.uint8)
    return found


_FOR, _AGAINST = np.array([213.0, 94.0, 0.0]), np.array([0.0, 114.0, 178.0])  # Okabe and Ito


def _bars(found: Explanation) -> str:
    table = found.importance()
    drawn, axis = style.lines(table["feature"].tolist(), "mean absolute attribution")
    colours = np.where(table["mean"] >= 0, style.SERIES[1], style.SERIES[0])
    axis.barh(range(len(table)), table["mean_absolute"], color=colours, height=0.6)
    label = "mean absolute attribution of each feature"
    return style.inline(style.svg(drawn), name="bars", label=label)


def _pictures(rows: pd.DataFrame, images: npt.NDArray[np.uint8]) -> str:
    found = []
    for row, image in zip(rows.to_dict("records"), images, strict=False):  # the first ones
        pixels = image.transpose(1, 2, 0)
        name = f"true: {row['true']}" if "true" in row else row["sample_id"]
        caption = f"explained: {row['explained']} ({row['probability']:.0%}); {name}"
        shown = "".join(
            f'<img src="data:image/png;base64,{base64.b64encode(style.png(own)).decode()}" '
            f'alt="{alt}">'
            for own, alt in (
                (pixels[..., 0] if pixels.shape[2] == 1 else pixels, "picture"),
                (heat(map_of(row["attribution"])), "attributions"),
            )
        )
        found.append(f"<figure>{shown}<figcaption>{html.escape(caption)}</figcaption></figure>")
    return "".join(found)


def _text(row: Mapping[Any, Any]) -> str:
    values = np.asarray(row["attribution"])
    largest = np.abs(values).max(initial=0.0) or 1.0
    spans = []
    for character, value in zip(row["text"], values, strict=True):
        colour = ",".join(str(int(part)) for part in (_FOR if value > 0 else _AGAINST))
        shown = {"\n": "↵", "\t": "⇥"}.get(character, character)
        spans.append(
            f'<span style="background:rgba({colour},{abs(value) / largest:.2f})" '
            f'title="{value:.3g}">{html.escape(shown)}</span>'
        )
    following = {"\n": "↵", "\t": "⇥"}.get(row["explained"], row["explained"])
    return (
        f'<p class="text">{"".join(spans)}<b>{html.escape(following)}</b> '
        f"<small>{row['probability']:.0%}</small></p>"
    )


_LEGENDS = {
    names.TABULAR: "Orange: the mean attribution is above 0, it speaks for the output; blue: "
    "below 0.",
    names.IMAGES: "Orange pixels speak for the explained class, blue ones against it. Each picture "
    "has its own scale.",
    names.TEXT: "Orange characters speak for the next character (bold, with its probability), blue "
    "ones against it. Each text has its own scale.",
}
_STYLE = """
:root { --ink: #1c2733; --soft: #5b6875; --rule: #d5dae0; --card: #fff; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c2733; background: #fff; }
figure { display: inline-block; margin: 0 1rem 1rem 0; width: 18rem; vertical-align: top; }
img { width: 8rem; height: 8rem; margin-right: 0.4rem; image-rendering: pixelated;
  border: 1px solid #d5dae0; }
figcaption { font-size: 0.9rem; }
svg { max-width: 36rem; width: 100%; height: auto; }
.text { font: 1rem/1.7 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap; }
.text b { border-bottom: 2px solid #1c2733; }
.caveat { border-left: 4px solid #d55e00; padding-left: 0.8rem; }
th, td { text-align: right; padding: 0.1rem 0.8rem 0.1rem 0; }
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
<p>{lead}</p>
<p class="caveat">{caveat}</p>
<p>{legend}</p>
{body}
<h2>Summary</h2>
{summary}
</body>
</html>
"""
