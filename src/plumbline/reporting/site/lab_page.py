"""The page of a laboratory, made from the files of its stages."""

from __future__ import annotations

from pathlib import Path

from plumbline import catalog, names
from plumbline.errors import ArtifactError
from plumbline.reporting.references import Book
from plumbline.reporting.site.claims_view import STUDIES, exercise_views
from plumbline.reporting.site.fairness_views import (
    balance_view,
    dilemma_view,
    individual_views,
    mitigation_view,
)
from plumbline.reporting.site.fold_views import folds_view
from plumbline.reporting.site.page import LABS, render


def render_lab(root: Path, lab: str, *, title: str) -> str:
    """Return the page of a laboratory.

    Parameters
    ----------
    root : Path
        Repository root.
    lab : str
        Its folder below ``studies``.
    title : str
        Name of the report.

    Raises
    ------
    ArtifactError
        If there is no such laboratory, or a file is unfit.
    """
    if lab not in LABS:
        raise ArtifactError(f"report: laboratory must be one of {', '.join(LABS)}, got {lab!r}")
    book = Book(root)
    if lab != "fairness":
        if not (exercises := exercise_views(book, lab)):
            raise ArtifactError(
                f"report: {STUDIES.as_posix()}/{lab} must hold judged claims, got none; run the "
                f"stage {lab}_claims"
            )
        return render(
            "claims.html.j2", title=title, heading=LABS[lab], lab=lab, exercises=exercises
        )
    return render(
        "lab.html.j2",
        title=title,
        heading=LABS[lab],
        individual=individual_views(book),
        mitigation=mitigation_view(book),
        balance=balance_view(book),
        dilemma=dilemma_view(book),
        folds=folds_view(book),
        worksheets=[m for m in catalog.models() if book.has(names.STANDARDS / f"{m}.md")],
    )
