"""The table of models that a pipeline run ends with, read from the reports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from plumbline import artifacts, catalog, names
from plumbline.artifacts.plain_text import visible
from plumbline.errors import PlumblineError
from plumbline.runs import dvc_files, record_files

_COLOURS = {
    names.DIFFERENCE: "red",
    names.EQUIVALENT: "green",
    names.INCONCLUSIVE: "bright_black",
    names.INSUFFICIENT: "dim",
}


@dataclass(frozen=True)
class Row:
    """One model: its main metric, its largest group gap with the verdict, and its MLflow run."""

    model: str
    metric: str
    gap: str
    verdict: str
    run: str


def rows(root: Path) -> list[Row]:
    """Return a row per model that has a metrics report, in the order of the catalogue."""
    runs = _evaluation_runs(root)
    found = []
    for model in catalog.models():
        path = root / names.METRICS_DIR / f"{model}.json"
        if path.exists():
            gap, verdict = _gap(root / names.AUDITS / f"{model}.json")
            run = runs.get((names.METRICS_DIR / path.name).as_posix(), "")
            found.append(Row(model, _main_metric(artifacts.read_json(path)), gap, verdict, run))
    return found


def show(root: Path) -> None:
    """Print the table and the place of the report."""
    console = Console()
    if not console.is_terminal:  # a log has no width; two lines a model fit in this one
        console = Console(width=110)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in (
        "model\nits MLflow run",
        "main metric\non the test split",
        "largest group gap\nwith its interval",
        "verdict",
    ):
        table.add_column(heading, overflow="fold")
    for row in rows(root):
        # Text, not markup: an attribute may be named "[red]".
        model, metric, gap = (
            Text(visible(text, keep="\n")) for text in (row.model, row.metric, row.gap)
        )
        verdict = Text(row.verdict, style=_COLOURS.get(row.verdict, ""))
        table.add_row(model.append(f"\n{row.run}", style="dim"), metric, gap, verdict)
    if table.row_count == 0:
        console.print("No model has been evaluated yet; run: plumbline repro")
        return
    console.print(table)
    site = root / names.SITE
    if site.exists():
        console.print(f"Report: {names.SITE}", highlight=False)
    console.print(f"MLflow: {_mlflow(root)}", highlight=False, soft_wrap=True)


def _mlflow(root: Path) -> str:
    """Return the page that shows all models: of a server its address, else the command for it."""
    try:
        found = artifacts.read_json(names.main_tree(root) / record_files.VIEWS)
        store, page = str(found["store"]), str(found["models"])
    except (PlumblineError, OSError, TypeError, LookupError):
        return "plumbline ui"  # nothing has been delivered yet
    return f"{store.rstrip('/')}/{page}" if store.startswith("http") else "plumbline ui"


def interval(cell: dict[str, Any]) -> str:
    """Return ``0.913 [0.880, 0.941]``; without an interval the value alone, undefined as –."""
    value, low, high = (cell.get(key) for key in ("value", "low", "high"))
    if value is None:
        return "–"
    text = f"{value:.3f}"
    return text if low is None or high is None else f"{text} [{low:.3f}, {high:.3f}]"


def _main_metric(report: dict[str, Any]) -> str:
    quantity = report["main_metric"]
    return f"{quantity}\n{interval(report['metrics'][quantity])}"


def _gap(path: Path) -> tuple[str, str]:
    if not path.exists():
        return "", ""
    worst = artifacts.read_json(path).get("worst")
    if not worst:
        return "–", names.INSUFFICIENT
    text = f"{worst['metric']} by {worst['attribute']}\n{interval(worst)}"
    return text, worst["verdict"]


def _evaluation_runs(root: Path) -> dict[str, str]:
    return {out: spec.name for spec in dvc_files.stages(root).values() for out in spec.outs}
