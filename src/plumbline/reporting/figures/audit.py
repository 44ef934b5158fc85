"""The figure of an audit: values by group and, where there are scores, ROC curves by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline import artifacts
from plumbline.reporting.figures import forest, style
from plumbline.reporting.rendering import words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_CURVES = len(style.SERIES)


def audit_figure(audit: Mapping[str, Any], path: Path) -> None:
    """Write the figure of an audit as SVG: one forest panel per main metric, then ROC curves.

    Parameters
    ----------
    audit : mapping
        Content of ``reports/audits/<model>.json``.
    path : Path
        Where to write the SVG.
    """
    drawn = style.svg(forest.audit_panels(audit, forest.audit_metrics(audit)))
    if audit["roc"]:
        curves = style.svg(roc_panels(audit, roc_attributes(audit)))
        drawn = style.stacked([drawn, curves])
    artifacts.write_text(path, drawn)


def roc_attributes(audit: Mapping[str, Any]) -> list[str]:
    """Return the attributes whose groups have ROC curves."""
    return list(dict.fromkeys(curve["attribute"] for curve in audit["roc"]))


@style.styled
def roc_panels(audit: Mapping[str, Any], attributes: Sequence[str]) -> Figure:
    """Draw the ROC curves of the groups of each attribute, at most two panels side by side.

    A band around a curve contains the whole true curve with the confidence of the audit. Of many
    groups those with the most rows are drawn.
    """
    columns = 2 if len(attributes) > 1 else 1
    rows = -(-len(attributes) // columns)
    drawn, axes = style.figure(3.5 * rows, width=style.WIDTH * columns, rows=rows, columns=columns)
    for axis in axes[len(attributes) :]:
        axis.axis("off")
    for axis, attribute in zip(axes, attributes, strict=False):
        own = [curve for curve in audit["roc"] if curve["attribute"] == attribute]
        most = sorted(own, key=lambda c: -(c["positives"] + c["negatives"]))[:MAX_CURVES]
        shown = [curve for curve in own if curve in most]
        axis.plot([0, 1], [0, 1], color=style.SOFT, lw=1, ls=(0, (4, 3)))
        for colour, curve in zip(style.SERIES, shown, strict=False):
            axis.plot(curve["fpr"], curve["tpr"], color=colour, label=_label(curve))
            if curve["margin_fpr"] is not None:
                axis.fill(*_band(curve), color=colour, alpha=0.1, lw=0)
        left = len(own) - len(shown)
        more = f", {left} smaller groups left out" if left else ""
        axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axis.set(xlabel="false positive rate", ylabel="true positive rate")
        axis.set_title(f"ROC curves by {words(attribute)}{more}")
        axis.legend(loc="lower right")
    return drawn


def _label(curve: Mapping[str, Any]) -> str:
    group = str(curve["group"])
    group = group if len(group) <= 24 else f"{group[:23]}…"
    return f"{group} ({curve['positives']} + {curve['negatives']})"


def _band(curve: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """Return the outline of the band: the curve moved left and up, and back right and down."""
    across, up = curve["margin_fpr"], curve["margin_tpr"]
    points = list(zip(curve["fpr"], curve["tpr"], strict=True))
    above = [(max(x - across, 0.0), min(y + up, 1.0)) for x, y in points]
    below = [(min(x + across, 1.0), max(y - up, 0.0)) for x, y in points]
    outline = [
        (0.0, above[0][1]),
        *above,
        (1.0, 1.0),
        (1.0, below[-1][1]),
        *below[::-1],
        (0.0, 0.0),
    ]
    return [x for x, _ in outline], [y for _, y in outline]
