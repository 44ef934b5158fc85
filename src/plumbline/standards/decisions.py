"""The audit of decisions that were made elsewhere: from a file to a table, a page, JSON or CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from plumbline import names
from plumbline.artifacts.files import write_text
from plumbline.audit import listing
from plumbline.audit.build import statistics_to_audit
from plumbline.audit.contingency_file import read_contingency, write_contingency
from plumbline.audit.counts import Statistics, contingency_to_statistics
from plumbline.audit.document import audit_to_markdown
from plumbline.audit.external.classes import class_of
from plumbline.audit.external.decisions import Columns, file_to_contingency
from plumbline.audit.external.documents import file_to_documents
from plumbline.audit.external.residuals import file_to_residuals
from plumbline.audit.options import AuditOptions
from plumbline.audit.planning.plan import audit_to_plan
from plumbline.audit.subgroups.search import search
from plumbline.errors import DataError
from plumbline.metrics.groups import rates
from plumbline.metrics.groups.contingency import ContingencyTable
from plumbline.metrics.groups.counting import MOST_GROUPS
from plumbline.metrics.groups.thresholds import decide
from plumbline.standards.sections import (
    fifths_lines,
    fifths_page,
    fifths_text,
    plan_page,
    plan_text,
    subgroups_page,
    subgroups_text,
)
from plumbline.table_files.dialect import PLAIN, Dialect

FORMATS = ("table", "md", "json", "csv")


@dataclass(frozen=True)
class Numbers:
    """Columns of a file without decisions.

    Of a regression ``label`` and ``prediction``, and ``weight`` and ``entity`` where there are any;
    of a language model ``nll`` (nats), ``characters`` and, in ``entity``, the document.
    """

    attributes: tuple[str, ...]
    label: str | None = None
    prediction: str | None = None
    nll: str | None = None
    characters: str | None = None
    entity: str | None = None
    weight: str | None = None


@dataclass(frozen=True)
class Options:
    """What an audit is asked for; see `plumbline audit --help`."""

    columns: Columns | Numbers | None  # None: the file is a contingency table
    threshold: float | None
    positive: str | None
    favourable: str | None
    multiclass: bool
    audit: AuditOptions
    memory: str
    search: int = 0  # largest order of the subgroups that are searched; 0: no search
    dialect: Dialect = PLAIN  # of a CSV
    most_groups: int = MOST_GROUPS  # of an attribute or intersection
    plan: bool = False  # how many rows would settle the open comparisons


def run(
    path: Path,
    options: Options,
    *,
    form: str,
    out: Path | None,
    counts: Path | None = None,
    full: bool = False,
) -> str:
    """Return the audit of a file as text; write it to ``out``, its counts to ``counts``.

    A table for the terminal is a summary unless it is to be ``full``; a file is always whole.
    """
    if isinstance(options.columns, Numbers):
        audit = numbers_to_audit(path, options, options.columns)
    else:
        whole = counts is not None or options.search > 0
        contingency = count(path, options, whole=whole)
        if counts is not None:
            write_contingency(counts, contingency)
        audit = contingency_to_audit(contingency, options, path.name)
    if options.plan:
        audit["plan"] = audit_to_plan(audit)
    text = render(audit, form, full=full or out is not None)
    if out is not None:
        write_text(out, text)
    return text


def count(path: Path, options: Options, *, whole: bool = False) -> ContingencyTable:
    """Return the table of a CSV or Parquet file of decisions, or of a file that holds one.

    ``whole`` keeps a table of all attributes, however many cells it has.

    Raises
    ------
    DataError
        If the file, a column or a value in it is unfit.
    ArtifactError
        If no columns are named and the file is no contingency table.
    """
    _check(options)
    if not isinstance(options.columns, Columns):
        if path.suffix.lower() not in (".parquet", ".pq"):
            raise DataError(
                f"audit: columns of {path.name} must be named, got none; name them by --decision, "
                "--attributes and, where the truth is known, --label"
            )
        contingency = read_contingency(path)
        contingency = replace(contingency, most=options.most_groups)
        if options.threshold is None:
            return contingency
        return decide(contingency, options.threshold)
    return file_to_contingency(
        path,
        options.columns,
        positive=options.positive or options.favourable,
        multiclass=options.multiclass,
        memory=options.memory,
        dialect=options.dialect,
        max_order=None if whole else options.audit.max_order,
        most=options.most_groups,
    )


def numbers_to_audit(path: Path, options: Options, columns: Numbers) -> dict[str, Any]:
    """Return the audit of a regression's residuals, or of a language model's bits per character.

    Raises
    ------
    DataError
        If columns are not named, or hold other values than numbers.
    """
    _check(options)
    shared: dict[str, Any] = {
        "attributes": columns.attributes,
        "max_order": options.audit.max_order,
        "memory": options.memory,
        "dialect": options.dialect,
        "most": options.most_groups,
    }
    if columns.label is not None and columns.prediction is not None:
        statistics = file_to_residuals(
            path,
            label=columns.label,
            prediction=columns.prediction,
            weight=columns.weight,
            entity=columns.entity,
            **shared,
        )
    elif columns.nll is not None and columns.characters is not None and columns.entity is not None:
        statistics = file_to_documents(
            path,
            nll=columns.nll,
            characters=columns.characters,
            document=columns.entity,
            **shared,
        )
    else:
        raise DataError(
            "audit: columns must be --label and --decision of a regression, or --nll, --characters "
            "and --entity of a language model, got others"
        )
    n = int(statistics.table["n"].iloc[0]) if "n" in statistics.table else statistics.total
    return _header(path.name, n, columns.attributes, statistics) | _audit(statistics, options)


def _header(
    source: str, n: int, attributes: tuple[str, ...], statistics: Statistics
) -> dict[str, Any]:
    return {
        "model": Path(source).stem,
        "dataset": "decisions",
        "source": source,
        "split": "all rows",
        "n": n,
        **({"entities": statistics.total} if statistics.clustered else {}),
        "attributes": list(attributes),
    }


def _audit(statistics: Statistics, options: Options) -> dict[str, Any]:
    described = pd.DataFrame(columns=rates.RATE_COLUMNS)
    return statistics_to_audit(statistics, described, options.audit)


def contingency_to_audit(
    contingency: ContingencyTable, options: Options, source: str
) -> dict[str, Any]:
    """Return the audit of counted decisions.

    Raises
    ------
    DataError
        If the favourable value is none of the classes.
    """
    from plumbline.standards import worksheets
    from plumbline.standards.four_fifths import four_fifths_tables

    favourable = options.favourable
    if favourable is not None:
        favourable = class_of(favourable, contingency.classes)
    if favourable not in (None, *contingency.classes):
        raise DataError(
            f"audit: the favourable value must be one of {sorted(contingency.classes)}, got "
            f"{favourable!r}"
        )
    statistics = contingency_to_statistics(
        contingency, max_order=options.audit.max_order, by_class=contingency.positive is None
    )
    audit = _header(source, contingency.total, contingency.attributes, statistics)
    audit |= _audit(statistics, options)
    audit |= {
        "positive": contingency.positive,
        "favourable": favourable or contingency.positive,
    }
    if options.search:
        audit["subgroups"] = search(contingency, replace(options.audit, max_order=options.search))
    if contingency.positive is not None:
        selected = favourable in (None, contingency.positive)
        counted = worksheets.unweighted(contingency if selected else _exchanged(contingency))
        counts = worksheets.confusion_counts(counted, max_order=options.audit.max_order)
        audit["four_fifths"] = four_fifths_tables(
            counts, unknown=(names.UNKNOWN,), confidence=options.audit.confidence
        )
        audit |= worksheets.design_facts(contingency)
    return audit


def render(audit: dict[str, Any], form: str, *, full: bool = True) -> str:
    """Return an audit in one of `FORMATS`; a table that is not ``full`` is a summary."""
    if form == "json":
        return listing.to_json(audit)
    if form == "csv":
        return listing.to_csv(audit)
    if form == "md":
        page = audit_to_markdown(audit)
        return page + plan_page(audit) + fifths_page(audit) + subgroups_page(audit)
    title = (
        f"{audit['source']}: {audit['n']} rows, groups by {_listed(audit['attributes'])}, "
        f"{100 * audit['confidence']:g} % intervals"
    )
    if full:
        text = listing.to_text(audit, title=title)
        return text + plan_text(audit) + fifths_text(audit) + subgroups_text(audit)
    text = listing.to_summary(audit, title=title, more=fifths_lines(audit))
    return text + plan_text(audit) + subgroups_text(audit)


def _listed(attributes: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' if "," in name else name for name in attributes)


def _check(options: Options) -> None:
    if not 0 < options.audit.confidence < 1:
        raise DataError(f"audit: confidence must be in (0, 1), got {options.audit.confidence}")
    if options.most_groups < 2:
        raise DataError(f"audit: --max-groups must be >= 2, got {options.most_groups}")
    if options.audit.max_order < 1:
        raise DataError(f"audit: intersections must be >= 1, got {options.audit.max_order}")
    columns = options.columns
    if not isinstance(columns, Columns):
        return
    if columns.decision is None and columns.threshold is None:
        raise DataError("audit: a decision must be given, got none; name a column by --decision, "
                        "or a score and --threshold")  # fmt: skip
    if columns.threshold is not None and columns.score is None:
        raise DataError("audit: threshold must come with a score, got none; name it by --score")


def _exchanged(contingency: ContingencyTable) -> ContingencyTable:
    """Return the table in which those who were not selected are the selected ones."""
    return replace(
        contingency,
        true=1 - contingency.true,
        decided=1 - contingency.decided,
        margins=tuple(map(_exchanged, contingency.margins)),
    )
