"""Tags and description of a model run: the verdict first, for MLflow folds all but two rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plumbline import names
from plumbline.tracking.model_runs.facts import ModelFacts
from plumbline.tracking.tags import fit

NONE = "–"  # of a tag without a value: an empty cell of MLflow's list would look forgotten


def tag_values(facts: ModelFacts, changed: str) -> dict[str, str]:
    """Return the tags that are columns of MLflow's run list, and the hashes of the files."""
    worst = facts.worst
    gap = f"{abs(worst['value']):.3g} {worst['metric']} by {worst['attribute']}" if worst.get(
        "value") is not None else NONE  # fmt: skip
    return {
        "model": facts.model,
        "dataset": str(facts.report.get("dataset", NONE)),
        "main metric": main_metric(facts.report),
        "largest gap": gap,
        "verdict": str(worst.get("verdict", names.INSUFFICIENT)) if facts.audit else "no audit",
        "gate": facts.gate,
        "changed": changed or NONE,
        "experiment": facts.experiment or NONE,
        "commit": facts.tags.get("git.commit", "")[:7] or NONE,
        "dvc.model": facts.digests.get((names.MODEL_DIR / facts.model).as_posix(), NONE),
        "dvc.predictions": facts.digests.get(
            (names.PREDICTIONS / f"{facts.model}.parquet").as_posix(), NONE
        ),
        "plumbline.content": facts.content,
        **({"pretrained": facts.pretrained} if facts.pretrained else {}),
        **{fit(name): value for name, value in facts.tags.items()},
    }


def main_metric(report: Mapping[str, Any]) -> str:
    """Return ``auroc 0.829 [0.732, 0.912]``."""
    quantity = str(report.get("main_metric", ""))
    cell = dict(report.get("metrics", {})).get(quantity)
    if not isinstance(cell, Mapping) or cell.get("value") is None:
        return f"{quantity} {NONE}".strip()
    text = f"{quantity} {cell['value']:.3f}"
    low, high = cell.get("low"), cell.get("high")
    return text if low is None or high is None else f"{text} [{low:.3f}, {high:.3f}]"


def description(facts: ModelFacts, changed: str, links: Mapping[str, str]) -> str:
    """Return the run's description in Markdown.

    Parameters
    ----------
    facts : ModelFacts
    changed : str
        Parameters that differ from what it is compared with; empty for none.
    links : mapping of str to str
        Address below the server by text.
    """
    tags = tag_values(facts, changed)
    verdict = f"Largest group gap: **{tags['verdict']}**"
    if facts.worst:
        verdict += f" ({_gap(facts.worst)})"
    shown = " · ".join(f"[{text}]({address})" for text, address in links.items())
    lines = [
        f"{verdict}. Gate: **{facts.gate}**. Main metric: **{tags['main metric']}**.",
        f"Changed: {tags['changed']}. See {shown}.",
        "| metric of the test split | value | interval | better is |\n|---|---|---|---|",
    ]
    rows = [
        f"| {row['metric']} | {row['value']} | {_interval(row)} | {row['better']} |"
        for row in metric_rows(facts)
    ]
    return "\n\n".join(lines) + "".join(f"\n{row}" for row in rows)


def metric_rows(facts: ModelFacts) -> list[dict[str, str]]:
    """Return ``metric, value, low, high, better`` of each metric, and of references without it.

    Undefined values are empty.
    """
    rows = []
    for quantity, cell in dict(facts.report.get("metrics", {})).items():
        better = "more" if names.more_is_better(quantity) else "less"
        rows.append({"metric": quantity, **_cells(cell), "better": better})
    for name, cell in dict(facts.report.get("reference", {})).items():
        rows.append({"metric": f"reference {name}", **_cells(cell), "better": ""})
    if facts.worst:
        worst = facts.worst
        gap = f"gap in {worst['metric']} by {worst['attribute']}"
        rows.append({"metric": gap, **_cells(worst), "better": "less"})
    return rows


def metric_table(facts: ModelFacts) -> str:
    """Return `metric_rows` as a CSV, which MLflow shows as a table."""
    import csv
    import io

    sink = io.StringIO()
    writer = csv.DictWriter(
        sink, ("metric", "value", "low", "high", "better"), lineterminator="\n"
    )  # fmt: skip
    writer.writeheader()
    writer.writerows(metric_rows(facts))
    return sink.getvalue()


def _cells(cell: Any) -> dict[str, str]:
    parts = cell if isinstance(cell, Mapping) else {}
    found = {name: parts.get(name) for name in ("value", "low", "high")}
    return {
        name: f"{value:.6g}" if isinstance(value, int | float) else ""
        for name, value in found.items()
    }


def _interval(row: Mapping[str, str]) -> str:
    return f"[{row['low']}, {row['high']}]" if row["low"] and row["high"] else ""


def _gap(worst: Mapping[str, Any]) -> str:
    cells = _cells(worst)
    interval = f" {text}" if (text := _interval(cells)) else ""
    margin = f", margin {worst['margin']:g}" if worst.get("margin") is not None else ""
    return (
        f"{worst['metric']} by {worst['attribute']}: {worst.get('highest', '')} less "
        f"{worst.get('lowest', '')} {cells['value'] or NONE}{interval}{margin}"
    )
