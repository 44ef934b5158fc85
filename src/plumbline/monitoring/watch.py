"""The report of a monitored file: new rows of a table against the data of a model."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from plumbline import names
from plumbline.artifacts import DatasetSchema, ModelConfig
from plumbline.errors import DataError
from plumbline.metrics.intervals import proportions
from plumbline.monitoring import performance, training
from plumbline.monitoring.comparisons import (
    DRIFTED,
    TOO_FEW,
    WITHIN,
    Line,
    Smallest,
    to_lines,
    to_record,
)
from plumbline.monitoring.counting import NewRows
from plumbline.monitoring.labels import label_codes, labelled_rows
from plumbline.monitoring.pairs import pair_labels, pair_with_reference, pair_with_training
from plumbline.serving.files import in_dialect
from plumbline.serving.interface import find_prepared
from plumbline.serving.predictor import load
from plumbline.serving.supervised import TablePredictor
from plumbline.table_files import Dialect, read_batches, read_header

WHERE = "monitor"


@dataclass(frozen=True)
class Options:
    """How new rows are compared.

    Attributes
    ----------
    confidence : float
        Of all intervals at once, in (0, 1).
    smallest : Smallest
    label : str or None
        Column of the labels of the new rows.
    seed : int
        Of the draw of labelled rows and of the bootstrap.
    """

    confidence: float
    smallest: Smallest
    label: str | None
    seed: int


def watch(
    model_folder: Path,
    path: Path,
    options: Options,
    *,
    report: Mapping[str, Any] | None,
    audit: Mapping[str, Any] | None,
    dialect: Dialect | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """Return the monitoring report of a table of new raw rows, which is read in blocks.

    Parameters
    ----------
    model_folder : Path
        With the summary of its training rows, or with the prepared table beside it.
    path : Path
        CSV or Parquet, with the columns that the model reads; with those of the audited attributes
        groups are compared, with labels metrics.
    options : Options
    report, audit : mapping or None
        Content of ``reports/metrics/<model>.json`` and ``reports/audits/<model>.json``: the test
        split, with which decisions and metrics are compared.
    dialect : Dialect, optional
        Of a CSV; by default that of the table that the model was trained on.
    progress : callable
        Takes the number of rows that are read so far.

    Raises
    ------
    DataError
        If the model reads no table, or the file is unfit for it.
    ArtifactError
        If the training rows of the model are not known.
    """
    check_options(options)
    config = ModelConfig.read(model_folder)
    if config.kind not in (names.CLASSIFICATION, names.REGRESSION) or "image_size" in (
        config.arguments
    ):
        raise DataError(
            f"{WHERE}: model must be one of a table, got {config.model!r}; images and texts have "
            "no columns to compare"
        )
    if not path.is_file():
        raise DataError(f"{WHERE}: file must exist, got none at {path.as_posix()}")
    prepared = find_prepared(model_folder)
    summary, schema = training.read(prepared), DatasetSchema.read(prepared)
    predictor = in_dialect(load(model_folder, prepared), dialect)
    assert isinstance(predictor, TablePredictor)
    seen = _read(predictor, path, schema, summary, options, progress)
    comparisons = [
        *pair_with_training(seen.rows, summary, options.smallest),
        *pair_with_reference(seen.decisions, report or {}, options.smallest),
    ]
    labels = {name: seen.labelled.codes[code] for code, name in enumerate(schema.classes)}
    comparisons += pair_labels(labels, summary, options.smallest)
    measured = seen.labelled.predictions(config, schema, tuple(seen.rows.groups))
    if measured is not None:
        own = performance.Measured(measured, options.seed)
        comparisons += performance.compare(own, report or {}, audit or {}, options.smallest)
    lines = to_lines(comparisons, confidence=options.confidence)
    used = 0 if measured is None else len(measured.table)
    return {
        "model": config.model,
        "dataset": schema.dataset,
        "source": schema.source,
        "file": path.name,
        "rows": seen.rows.rows,
        "training_rows": summary["rows"],
        "test_rows": (report or {}).get("n"),
        "labelled_rows": seen.labelled.rows,
        "measured_rows": used,
        "refused_rows": seen.refused,
        "confidence": options.confidence,
        "confidence_of_each": proportions.bonferroni(options.confidence, len(lines)),
        "smallest": asdict(options.smallest),
        "verdicts": {name: _count(lines, name) for name in (DRIFTED, WITHIN, TOO_FEW)},
        "lines": [to_record(line) for line in lines],
        "notes": _notes(seen, schema, options, report, used),
    }


def check_options(options: Options) -> None:
    """Check confidence and smallest relevant changes.

    Raises
    ------
    DataError
        If one is out of its range.
    """
    for name, value in asdict(options.smallest).items():
        if not 0 < value < 0.5:
            raise DataError(
                f"{WHERE}: smallest relevant change ({name}) must be in (0, 0.5), got {value:g}; "
                "choose another"
            )
    if not 0 < options.confidence < 1:
        raise DataError(f"{WHERE}: confidence must be in (0, 1), got {options.confidence:g}")


@dataclass
class _Seen:
    rows: NewRows
    labelled: performance.LabelledRows
    decisions: Counter[str]
    absent: list[str]
    refused: int = 0


def _read(
    predictor: TablePredictor,
    path: Path,
    schema: DatasetSchema,
    summary: Mapping[str, Any],
    options: Options,
    progress: Callable[[int], None],
) -> _Seen:
    columns, label = predictor.columns, options.label
    header = read_header(path, columns.dialect, where=WHERE)
    if label is not None and label not in header:
        raise DataError(
            f"{WHERE}: {path.name} must have the column of the labels, {label!r}, got "
            f"{list(header)[:30]}; names are case-sensitive"
        )
    present = tuple(name for name in schema.attributes if name in header)
    absent = [name for name in schema.attributes if name not in header]
    counts, labelled = NewRows(columns, summary, present), performance.LabelledRows(options.seed)
    seen = _Seen(counts, labelled, Counter(), absent)
    scorer = replace(predictor, columns=replace(columns, refuse_missing=frozenset()))
    wanted = list(dict.fromkeys([*columns.names, *present, *([label] if label else [])]))
    with _quiet():
        for batch in read_batches(path, columns.dialect, wanted, where=WHERE):
            if not batch.num_rows:
                continue
            samples = {name: batch.column(name) for name in wanted}
            groups, refused = seen.rows.add(samples, where=WHERE)
            found = scorer.predict(samples)[~refused].reset_index(drop=True)
            seen.refused += int(refused.sum())
            if "decision" in found:
                seen.decisions.update(found["decision"])
            if label is not None:
                codes = label_codes(samples[label], label, schema, columns.dialect)[~refused]
                own = {name: values[~refused] for name, values in groups.items()}
                seen.labelled.add(labelled_rows(found, codes, own, schema))
            progress(seen.rows.rows)
    if not seen.rows.rows:
        raise DataError(f"{WHERE}: {path.name} must have a row, got none")
    return seen


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back the warnings of each block: the report counts unseen categories of all rows."""
    logger = logging.getLogger("plumbline.serving.supervised")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _count(lines: Sequence[Line], verdict: str) -> int:
    return sum(line.verdict == verdict for line in lines)


def _notes(
    seen: _Seen,
    schema: DatasetSchema,
    options: Options,
    report: Mapping[str, Any] | None,
    measured: int,
) -> list[str]:
    notes = [
        f"All {seen.rows.rows:,} rows were read; distributions and shares are counted from every "
        "one of them. Weights of rows are not used, and rows count as independent: where several "
        "belong to one entity, intervals are too narrow."
    ]
    if measured:
        drawn = f", drawn with seed {options.seed}" if measured < seen.labelled.rows else ""
        notes.append(
            f"Metrics are of {measured:,} of {seen.labelled.rows:,} rows with a label{drawn}."
        )
    elif options.label is None:
        notes.append("No column of labels was named: metrics are not compared (--label).")
    else:
        notes.append(f"No row has a value in {options.label!r}: metrics are not compared.")
    if seen.refused:
        notes.append(
            f"{seen.refused:,} rows lack a value that the model refuses to lack: they have no "
            "decision and no metric."
        )
    if seen.absent:
        notes.append(
            f"{', '.join(seen.absent)}: no column of the file, so these groups are not compared."
        )
    for attribute, counts in seen.rows.groups.items():
        if new := counts[None]:
            notes.append(f"{new:,} rows are in no group of {attribute} that training rows have.")
    if not report:
        notes.append(
            "No metrics of the test split are beside the model: decisions and metrics have nothing "
            "to be compared with."
        )
    return notes
