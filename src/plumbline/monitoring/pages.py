"""A monitoring report as Markdown, as a figure, and as lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline import artifacts
from plumbline.monitoring.comparisons import (
    DRIFTED,
    FEATURE,
    METRIC,
    MISSING,
    RANGE,
    TOO_FEW,
    UNSEEN,
    WITHIN,
)
from plumbline.reporting import rendering
from plumbline.reporting.figures import forest, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE, DATA, FIGURE = "monitoring.md", "monitoring.json", "monitoring.svg"
_DRAWN = 30  # lines of the figure
_COLOURS = {DRIFTED: style.DIFFERS, WITHIN: style.SOFT, TOO_FEW: style.FAINT}
_MEANINGS = (
    "distribution: the largest difference of the cumulative shares of a number (Kolmogorov and "
    "Smirnov), or the share of rows that must change its category (total variation); 0 to 1. Both "
    "are above 0 by chance, which their intervals take into account. The values beside it are "
    "medians.",
    "missing, group, label, decision: differences of shares; decisions are compared with those of "
    "the test split.",
    "out of range, unseen category: the share of rows with a value beyond all training rows; "
    "beside it the share that is expected without a change, which is that of training rows whose "
    "value no other training row reaches or has.",
    "metric: difference from the test split; interval by MOVER from both intervals.",
)


def write(folder: Path, report: Mapping[str, Any]) -> None:
    """Write a report as Markdown, JSON and SVG into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    artifacts.write_json(folder / DATA, report)
    artifacts.write_text(folder / PAGE, page(report))
    style.save(figure(report), folder / FIGURE)


def summary(report: Mapping[str, Any]) -> str:
    """Return how many comparisons have each verdict, and the columns and groups that drifted."""
    counts = ", ".join(f"{count} {name}" for name, count in report["verdicts"].items())
    drifted = [
        f"{line['part']} of {line['name']}"
        for line in report["lines"]
        if line["verdict"] == DRIFTED
    ]
    more = f" and {len(drifted) - 5} more" if len(drifted) > 5 else ""
    named = f": {'; '.join(drifted[:5])}{more}" if drifted else ""
    return f"{report['rows']:,} rows, {len(report['lines'])} comparisons: {counts}{named}"


def overall(report: Mapping[str, Any]) -> str:
    """Return `DRIFTED` if any line is, else `WITHIN` if any is, else `TOO_FEW`."""
    return next((name for name in (DRIFTED, WITHIN) if report["verdicts"][name]), TOO_FEW)


def page(report: Mapping[str, Any]) -> str:
    """Return the report as Markdown."""
    smallest, quiet = report["smallest"], [line for line in report["lines"] if _is_nothing(line)]
    shown = [line for line in report["lines"] if line not in quiet]
    folded = {
        part: sum(line["part"] == part for line in quiet) for part in (MISSING, UNSEEN, RANGE)
    }
    facts = [
        f"{report['training_rows']:,} training rows of the data set {report['dataset']} "
        f"({report['source']}), {report['rows']:,} new rows.",
        f"Drifted: the interval lies beyond the smallest relevant change, which is "
        f"{smallest['distance']:g} of a distribution, {smallest['share']:g} of a share or a metric "
        f"between 0 and 1, and {smallest['relative']:g} times the value of another metric.",
        f"All intervals hold at once with a confidence of {report['confidence']:g} "
        f"({report['confidence_of_each']:.6g} each): without a relevant change the probability of "
        f"any drift in this report is at most {1 - report['confidence']:.2g}.",
        "Shows from: an observed change of this size would be called drifted. Too few rows: not "
        "even half of the rows elsewhere would be.",
        *report["notes"],
    ]
    without = "; ".join(f"{part}: {count}" for part, count in folded.items() if count)
    return rendering.page(
        [
            f"# Monitoring of {rendering.escape(report['model'])} on "
            f"{rendering.escape(report['file'])}",
            rendering.escape(summary(report)),
            rendering.bullets(facts),
            f"![Changes in units of the smallest relevant change]({FIGURE})",
            "## Changes, the largest first",
            rendering.table(
                ["compared", "of", "before", "new", "change", "interval", "smallest relevant",
                 "shows from", "rows", "verdict"],
                map(_cells, shown),
            ),
            f"Columns without such a value, before or now ({without})." if without else "",
            "## What is compared",
            rendering.bullets(_MEANINGS),
        ]
    )  # fmt: skip


@style.styled
def figure(report: Mapping[str, Any]) -> Figure:
    """Draw the largest changes with their intervals, in units of the smallest relevant one."""
    lines = [line for line in report["lines"] if not _is_nothing(line)][:_DRAWN]
    labels = [forest.short(f"{line['name']} · {line['part']}", 44) for line in lines]
    margins = style.Margins(left=0.25 + style.text_width(labels), right=0.25, bottom=0.55)
    drawn, (axis,) = style.figure(
        1.1 + 0.21 * max(len(lines), 3), width=3.6 + margins.left, margins=margins
    )
    axis.axvspan(-1, 1, color=style.RULE, alpha=0.4, lw=0)
    axis.axvline(0, color=style.SOFT, lw=1)
    for y, line in enumerate(lines):
        row = {
            end: None if line[key] is None else line[key] / line["smallest"]
            for end, key in (("value", "change"), ("low", "low"), ("high", "high"))
        }
        few = line["verdict"] == TOO_FEW
        forest.draw_estimate(axis, y, row, _COLOURS[line["verdict"]], hollow=few,
                             marker="D" if line["verdict"] == DRIFTED else "o")  # fmt: skip
    axis.set_yticks(range(len(lines)), labels)
    axis.set_ylim(max(len(lines), 1) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")
    axis.set(xlabel="change in units of the smallest relevant change (grey band)")
    axis.set_title("Change and simultaneous interval")
    return drawn


def metrics(report: Mapping[str, Any]) -> dict[str, float]:
    """Return the report's numbers by name: verdicts, rows, and the change of each line."""
    found = {f"lines/{name.replace(' ', '_')}": float(n) for name, n in report["verdicts"].items()}
    found["rows"] = float(report["rows"])
    for line in report["lines"]:
        if line["change"] is not None:
            found[f"{line['part'].replace(' ', '_')}/{line['name']}"] = float(line["change"])
    return found


def _is_nothing(line: Mapping[str, Any]) -> bool:
    return (
        line["part"] in (MISSING, UNSEEN, RANGE)
        and not line["new"]
        and (not line["reference"] or line["verdict"] != DRIFTED)
    )


def _cells(line: Mapping[str, Any]) -> Sequence[str]:
    signed = "" if line["part"] == FEATURE else "+"
    name = rendering.words(line["name"]) if line["part"] == METRIC else line["name"]
    return [
        line["part"], name, *(_number(line[key]) for key in ("reference", "new")),
        _number(line["change"], signed),
        "undefined" if line["low"] is None else
        f"{_number(line['low'], signed)} to {_number(line['high'], signed)}",
        _number(line["smallest"]), _number(line["detectable"]),
        f"{line['reference_rows']:,} and {line['new_rows']:,}", line["verdict"],
    ]  # fmt: skip


def _number(value: float | None, sign: str = "") -> str:
    return "–" if value is None else f"{value:{sign}.3g}"
