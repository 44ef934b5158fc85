"""The Markdown page and the figure of a data audit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from plumbline import names
from plumbline.reporting import verdicts
from plumbline.reporting.figures import style
from plumbline.reporting.figures.forest import audit_panels
from plumbline.reporting.rendering import (
    Safe,
    bullets,
    code,
    escape,
    interval,
    page,
    show,
    table,
    words,
)

MAX_ROWS = 40  # of one table; the rest is in the JSON

_SECTIONS = {
    names.SHARE_DRIFT: "Training and held-out rows",
    names.LABEL_RATE: "Labels by group",
    names.MISSING_RATE: "Missing values by group",
    names.LABEL_DISAGREEMENT: "Labels that differ from their neighbours'",
}


def data_audit_figure(audit: Mapping[str, Any], path: Path) -> None:
    """Write the figure of a data audit as SVG."""
    style.save(audit_panels(audit, data_audit_metrics(audit)), path)


def data_audit_metrics(audit: Mapping[str, Any]) -> list[str]:
    """Return the metrics of the figure: shares, labels and disputed labels by group."""
    found = dict.fromkeys(row["metric"] for row in audit["rows"])
    labels = [metric for metric in found if section(metric) == names.LABEL_RATE]
    wanted = [names.SHARE, names.REPRESENTATION_GAP, *(labels if len(labels) == 1 else [])]
    return [metric for metric in (*wanted, names.LABEL_DISAGREEMENT) if metric in found]


def section(metric: str) -> str:
    """Return the quantity of a metric's name: ``label_rate/high`` → ``label_rate``."""
    return metric.partition("/")[0]


def tally(audit: Mapping[str, Any]) -> dict[str, int]:
    """Count the comparisons of a data audit by verdict, proxies included."""
    rows = [row for row in audit["rows"] if row["metric"] == names.REPRESENTATION_GAP]
    return verdicts.tally([*audit["gaps"], *rows, *audit["proxies"]])


def data_audit_to_markdown(audit: Mapping[str, Any]) -> str:
    """Return the page of a data audit."""
    parts: list[str] = [
        f"# Data audit of {escape(audit['dataset'])}",
        _opening(audit),
        *_injected(audit),
        "## Representation",
        *_representation(audit),
    ]
    for metric, title in _SECTIONS.items():
        parts += _compared(audit, metric, title)
    parts += [
        "## Leakage between splits",
        *_duplicates(audit["duplicates"]),
        "## Proxy features for protected attributes",
        _proxies(audit["proxies"], audit["confidence"]),
    ]
    if audit["disputed"]:
        parts += ["## Disputed labels", _disputed(audit["disputed"])]
    return page([*parts, "## Notes", bullets(audit["notes"])])


def _opening(audit: Mapping[str, Any]) -> str:
    splits = ", ".join(f"{split} {show(audit['splits'][split])}" for split in names.SPLITS)
    attributes = ", ".join(escape(words(name)) for name in audit["attributes"])
    counted = ", ".join(f"{count} {verdict}" for verdict, count in tally(audit).items())
    design = f" rows of {show(audit['entities'])} entities" if "entities" in audit else ""
    design += f", weight {show(audit['weight'])}" if "weight" in audit else ""
    return (
        f"Source: {escape(audit['source'])}, n = {show(audit['n'])}{design} ({splits}). "
        f"Groups by: {attributes}. "
        f"Intervals have {show(audit['confidence'], 'percent')} confidence.\n\n"
        f"Comparisons: {counted}. No margin is declared for these quantities, so no gap can be "
        f"equivalent. Proxy features count as comparisons. {_excluded(audit)}"
    )


def _excluded(audit: Mapping[str, Any]) -> str:
    """Return how many groups and rows no comparison of an attribute holds."""
    shares = [row for row in audit["rows"] if row["metric"] == names.SHARE]
    small = [row for row in shares if row["verdict"] == names.INSUFFICIENT]
    if not small:
        return "No group is excluded from the comparisons."
    by = {}
    for attribute in dict.fromkeys(row["attribute"] for row in small):
        own = [row for row in small if row["attribute"] == attribute]
        of = sum(row["attribute"] == attribute for row in shares)
        rows = show(sum(row["n"] for row in own))
        by[attribute] = f"{len(own)} of {of} groups ({rows} rows) by {escape(words(attribute))}"
    return f"Excluded from the comparisons: {', '.join(by.values())}."


def _injected(audit: Mapping[str, Any]) -> list[str]:
    if not audit["injected_bias"]:
        return []
    head = "**Bias was injected into the training split on purpose:**"
    return [f"{head}\n\n{bullets(audit['injected_bias'])}"]


def _representation(audit: Mapping[str, Any]) -> list[str]:
    shares = [row for row in audit["rows"] if row["metric"] == names.SHARE]
    against = [row for row in audit["rows"] if row["metric"] == names.REPRESENTATION_GAP]
    design = [key for key in ("entities", "weight") if any(key in row for row in shares)]
    parts: list[str] = [_table(
        ("attribute", "group", "rows", *design, "share", "interval", "verdict"),
        [(words(r["attribute"]), r["group"], show(r["n"]), *(show(r[key]) for key in design),
          show(r["value"]), interval(r), r["verdict"] or "") for r in shares],
    )]  # fmt: skip
    if against:
        parts += ["### Compared with the declared population", _table(
            ("attribute", "group", "population", "difference", "interval", "verdict"),
            [(words(r["attribute"]), r["group"], show(r["reference"]), show(r["value"]),
              interval(r), r["verdict"]) for r in against],
        )]  # fmt: skip
    return parts


def _compared(audit: Mapping[str, Any], metric: str, title: str) -> list[str]:
    gaps = [gap for gap in audit["gaps"] if section(gap["metric"]) == metric]
    if not gaps:
        return []
    ranked = sorted(gaps, key=lambda gap: names.VERDICTS.index(gap["verdict"]))
    header = ("attribute", "quantity", "gap", "interval", "lowest", "highest", "verdict", "reason")
    parts: list[str] = [f"## {title}", _table(
        header,
        [(words(g["attribute"]), words(g["metric"]), show(g["value"]), interval(g),
          g["lowest"] or "", g["highest"] or "", g["verdict"], g["reason"]) for g in ranked],
    )]  # fmt: skip
    rows = [
        row
        for row in audit["rows"]
        if section(row["metric"]) == metric and names.INTERSECTION not in row["attribute"]
    ]
    if rows:
        parts.append(_table(
            ("attribute", "group", "quantity", "value", "interval", "n", "verdict"),
            [(words(r["attribute"]), r["group"], words(r["metric"]), show(r["value"]),
              interval(r), show(r["n"]), r["verdict"] or "") for r in rows],
        ))  # fmt: skip
    return parts


def _duplicates(found: Mapping[str, Any]) -> list[str]:
    lines = [
        f"{kind}: {show(found[kind]['count'])} of {show(found[kind]['n'])} held-out rows "
        f"({show(found[kind]['share'], 'percent')}) have a duplicate in the training split: "
        f"**{found[kind]['verdict']}**, {escape(found[kind]['reason'])}."
        for kind in ("exact", "near")
    ]
    lines += [
        f"within the training split: {show(found['within_train'])} rows repeat an earlier one.",
        f"equal samples with different labels: {show(found['conflicting_labels'])} sets.",
    ]
    lines += [
        f"of the {split} split's runs of five words, {show(share, 'percent')} occur in training "
        "documents."
        for split, share in found.get("shared_runs", {}).items()
    ]
    pairs = [
        (code(pair["held_out"]), pair["split"], code(pair["train"]), show(pair["value"]))
        for kind in ("exact", "near")
        for pair in found[kind]["pairs"]
    ]
    header = ("held-out sample", "split", "training sample", found["measure"])
    return [bullets(map(Safe, lines)), *([_table(header, pairs)] if pairs else [])]


def _proxies(proxies: Sequence[Mapping[str, Any]], confidence: float) -> str:
    chance = f"{show(confidence, 'percent')} of permutations are below"
    header = ("attribute", "balanced accuracy", chance, "rows", "strongest features", "verdict",
              "reason")  # fmt: skip
    return _table(
        header,
        [
            (
                words(p["attribute"]),
                show(p["value"]),
                show(p["chance_level"]),
                show(p["n"]),
                ", ".join(f"{s['feature']} ({show(s['explained'])})" for s in p["strongest"]),
                p["verdict"],
                p["reason"],
            )
            for p in proxies
        ],
    )


def _disputed(found: Sequence[Mapping[str, str]]) -> str:
    return _table(
        ("sample", "split", "label", "label of most neighbours"),
        [(code(d["sample_id"]), d["split"], d["label"], d["neighbours_label"]) for d in found],
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    every = list(rows)
    rest = len(every) - MAX_ROWS
    more = f"\n\n{rest} further rows are in the JSON beside this page." if rest > 0 else ""
    return table(header, every[:MAX_ROWS]) + more
