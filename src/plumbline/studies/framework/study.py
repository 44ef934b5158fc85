"""A study: an experiment that answers exercises of the textbook chapter by claims on its rows."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline import studies
from plumbline.errors import CatalogError
from plumbline.reporting.terms import Terms
from plumbline.studies.framework.claims import Claim

if TYPE_CHECKING:
    import pandas as pd

RESULTS = Path("reports/studies")
ROWS, CLAIMS, PAGE, FIGURES = "rows.parquet", "claims.json", "README.md", "figures"


@dataclass(frozen=True)
class Study:
    """One study: ``STUDY`` of ``plumbline.studies.<lab>.claims.<name>``.

    What trains is in ``plumbline.studies.<lab>.<name>``, which nothing here imports: another margin
    or figure re-runs no training. ``figures`` returns SVG text by file name, ``captions`` says what
    each shows; ``tables`` returns tables by heading. Terms name columns and their values on pages.
    Notes are paragraphs of Markdown: method, limits, slips of the chapter.
    """

    name: str
    lab: str
    title: str
    exercises: tuple[str, ...]
    question: str
    claims: tuple[Claim, ...]
    figures: Callable[[pd.DataFrame], Mapping[str, str]]
    notes: tuple[str, ...] = ()
    tables: Callable[[pd.DataFrame], Mapping[str, pd.DataFrame]] | None = None
    terms: Terms = field(default_factory=dict)
    captions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ids = [claim.id for claim in self.claims]
        foreign = {claim.exercise for claim in self.claims} - set(self.exercises)
        if len(set(ids)) < len(ids) or foreign:
            raise CatalogError(
                f"{self.lab}/{self.name}: claims must have different ids and exercises of the "
                f"study, got {', '.join(ids)} on {', '.join(sorted(foreign)) or 'its exercises'}"
            )

    @property
    def folder(self) -> Path:
        """Folder of the results, relative to the repository root."""
        return RESULTS / self.lab / self.name


def labs() -> tuple[str, ...]:
    """Return the laboratories that have claims."""
    folders = (Path(path) for path in studies.__path__)
    return tuple(sorted(p.parent.name for each in folders for p in each.glob("*/claims")))


def of_lab(lab: str) -> dict[str, Study]:
    """Return the studies of a laboratory by name; a `CatalogError` names the known ones."""
    if lab not in labs():
        raise CatalogError(f"study: laboratory must be one of {', '.join(labs())}, got {lab!r}")
    package = importlib.import_module(f"plumbline.studies.{lab}.claims")
    found = sorted(each.name for each in pkgutil.iter_modules(package.__path__))
    names = [name for name in found if not name.startswith("_")]  # those are shared helpers
    return {n: importlib.import_module(f"{package.__name__}.{n}").STUDY for n in names}


def every() -> list[Study]:
    """Return the studies of all laboratories."""
    return [study for lab in labs() for study in of_lab(lab).values()]
