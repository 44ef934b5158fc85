"""The report page: one self-contained HTML file made from metrics, audits, tables and samples.

The page loads nothing from the network, and equal files give equal bytes. It shows the default
pipeline; `lab_page` shows a laboratory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plumbline import artifacts, names
from plumbline.artifacts.plain_text import visible
from plumbline.errors import ArtifactError
from plumbline.reporting import comparisons, verdicts
from plumbline.reporting.cards.facts import TEMPLATES
from plumbline.reporting.references import Book
from plumbline.reporting.rendering import words
from plumbline.reporting.site.data_views import data_views
from plumbline.reporting.site.figures import image_grids
from plumbline.reporting.site.models import ModelView, model_views
from plumbline.reporting.site.sections import audit_views, model_sections

# Laboratories and the headings of their pages, reports/<lab>.html.
LABS = {
    "fairness": "Fairness laboratory",
    "feedforward": "Feed-forward laboratory",
    "sequence": "Sequence laboratory",
    "transfer": "Transfer and vision laboratory",
}

# The pipeline as the head of the page shows it.
FLOW = (
    ("Data", "prepared, split by hash, audited and documented by datasheets"),
    ("Models", "classical models and networks, trained on the same splits"),
    ("Evaluation", "one table of predictions per model; metrics with intervals"),
    ("Audit and reports", "groups compared, model cards, this page, the gate"),
)


def render_site(root: Path, *, title: str) -> str:
    """Return the report page.

    Parameters
    ----------
    root : Path
        Repository root.
    title : str
        Name at the head of the page.

    Raises
    ------
    ArtifactError
        If no model was evaluated and audited yet, or a file is unfit.
    """
    book = Book(root)
    models = model_views(book)
    if not models:
        raise ArtifactError(
            f"report: {names.METRICS_DIR.as_posix()} and {names.AUDITS.as_posix()} must hold a "
            "model, got none; run the evaluate and audit stages"
        )
    return render(
        "site.html.j2",
        title=title,
        flow=FLOW,
        models=models,
        sections=model_sections(book, models),
        data=data_views(book),
        audits=audit_views(book, models),
        legend=verdicts.LEGEND,
        comparison_meaning=comparisons.MEANING,
        grids=image_grids(root),
        texts=_texts(root),
        totals=_totals(models),
        labs=LABS,
    )


def render(template: str, **values: Any) -> str:
    """Return a page made from a template and the style sheet."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"words": words, "drawn": Markup}  # drawn: our own markup only
    made.globals["verdict_meaning"] = verdicts.MEANING
    made.globals["verdict_class"] = dict(
        zip(names.VERDICTS, ("differs", "equivalent", "inconclusive", "few"), strict=True)
    ) | {
        names.BETTER: "equivalent", names.WORSE: "differs",
        "supported": "equivalent", "refuted": "differs", "undecided": "inconclusive",
    }  # fmt: skip
    style = Markup((TEMPLATES / "site.css").read_text(encoding="utf-8"))
    text = made.get_template(template).render(style=style, **values)
    return visible(text.rstrip(), keep="\n") + "\n"


def _texts(root: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in sorted((root / names.SAMPLES).glob(f"*/{names.TEXT_SAMPLES}")):
        found += artifacts.read_json(path)
    return found


def _totals(models: list[ModelView]) -> dict[str, int]:
    groups = {
        (model.metrics["dataset"], row["attribute"], row["group"])
        for model in models
        for row in model.audit["rows"]
        if row["attribute"] != names.OVERALL
    }
    tally = {verdict: sum(m.tally[verdict] for m in models) for verdict in names.VERDICTS}
    return {"models": len(models), "groups": len(groups), **tally}
