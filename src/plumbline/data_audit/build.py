"""The whole audit of a prepared data set, as ``reports/data_audits/<dataset>.json`` holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.data_audit import disagreement, duplicates, proxies, shares
from plumbline.data_audit.dataset import Subject, vectors
from plumbline.data_audit.duplicates import Likeness
from plumbline.data_audit.notes import audit_notes
from plumbline.data_audit.shares import Rule, Shares
from plumbline.errors import DataError
from plumbline.metrics.groups import confusions
from plumbline.metrics.groups import rates as groups
from plumbline.metrics.intervals.survey_design import Counted, Design

Reference = Mapping[str, Mapping[str, float]]

SHOWN = 30  # disputed labels named in the document
STRONGEST = 5  # features named beside a proxy
_FLAGS = ("_missing", "=(missing)")  # how a prepared table marks what was missing in the raw one
MANY = 12  # of more classes, label rates are given by single attributes only


@dataclass(frozen=True)
class Options:
    """How a data set is audited.

    Attributes
    ----------
    rule : Rule
    max_order : int
        1: groups; 2: also intersections of two attributes; and so on.
    likeness : Likeness
    max_leaked_share : float
        Data with more held-out rows than this share in training are refused.
    neighbours, folds, max_rows, seed : int
        Neighbours of the label check; folds of the proxy check; rows that near duplicates,
        proxies and neighbours are looked for among.
    """

    rule: Rule
    max_order: int
    likeness: Likeness
    max_leaked_share: float
    neighbours: int
    folds: int
    max_rows: int
    seed: int


def subject_to_audit(subject: Subject, *, options: Options, reference: Reference) -> dict[str, Any]:
    """Return the audit of a prepared data set.

    Parameters
    ----------
    subject : Subject
    options : Options
    reference : mapping
        Shares of a declared population, by attribute (``sex`` or ``sex×age_band``) and group.

    Raises
    ------
    DataError
        If held-out rows stand in the training split, or the reference names what the data lack.
    """
    schema, table = subject.schema, subject.table
    check_reference(subject, reference, max_order=options.max_order)
    rows = subject.sampled(options.max_rows)
    found = duplicates.find_duplicates(subject, rows, likeness=options.likeness)
    duplicates.refuse_leaks(found, source=schema.source, max_share=options.max_leaked_share)
    space = vectors(subject, rows)
    doubted, said = _disputed(subject, rows, space, options)
    sections = [
        _representation(subject, options, reference),
        _labels(subject, options),
        _missing(subject, options),
        _disagreement(subject, rows, doubted, options),
    ]
    return {
        "dataset": schema.dataset,
        "source": schema.source,
        "task": schema.task,
        "n": len(table),
        "splits": {split: int((table["split"] == split).sum()) for split in names.SPLITS},
        "looked_at": len(rows),
        **subject.design.facts(),
        "confidence": options.rule.confidence,
        "attributes": list(schema.attributes),
        "reference": {a: dict(shares_) for a, shares_ in reference.items()},
        "rows": [row for found_rows, _ in sections for row in found_rows],
        "gaps": [gap for _, gaps in sections for gap in gaps],
        "proxies": _proxies(subject, rows, space, options),
        "duplicates": found,
        "disputed": _named(subject, rows, doubted, said),
        "worst": None,
        "injected_bias": schema.about.get("injected_bias"),
        "notes": audit_notes(
            subject,
            rule=options.rule,
            looked_at=len(rows),
            reference=bool(reference),
            missing=bool(sections[2][0]),
        ),
    }


def check_reference(subject: Subject, reference: Reference, *, max_order: int) -> None:
    """Check a declared population against the data.

    Raises
    ------
    DataError
        If it names an attribute that the data do not have, or its shares do not sum to 1.
    """
    known = {
        names.INTERSECTION.join(chosen)
        for chosen in confusions.combinations(subject.schema.attributes, max_order=max_order)
    }
    for attribute, expected in reference.items():
        if attribute not in known:
            raise DataError(
                f"data_audit: reference of {subject.schema.dataset} must name one of "
                f"{sorted(known)}, got {attribute!r}"
            )
        if abs(sum(expected.values()) - 1) > 1e-6:
            raise DataError(
                f"data_audit: reference shares of {attribute} must sum to 1, got "
                f"{sum(expected.values()):g}"
            )


Section = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def _combinations(subject: Subject, max_order: int) -> list[tuple[str, ...]]:
    return confusions.combinations(subject.schema.attributes, max_order=max_order)


def _representation(subject: Subject, options: Options, reference: Reference) -> Section:
    table, train, design = subject.table, subject.train, subject.design
    rows, gaps = [], []
    for chosen in _combinations(subject, options.max_order):
        name, labels, codes = groups.combination_groups(table, chosen)
        counted = design.shares(codes, len(labels))
        found = _shares(name, names.SHARE, labels, codes, counted, design, options)
        both = _both_counts(design, codes, len(labels))
        rows += [
            {**row, **count}
            for row, count in zip(found.rows(options.rule.confidence), both, strict=True)
        ]
        if name in reference:
            rows += shares.against_reference(
                found, reference[name], confidence=options.rule.confidence
            )
        parts = [design.at(side).shares(codes[side], len(labels)) for side in (train, ~train)]
        gaps.append(
            shares.split_drift(
                name, labels, train=parts[0], held_out=parts[1],
                confidence=options.rule.confidence,
            )
        )  # fmt: skip
    return rows, gaps


def _labels(subject: Subject, options: Options) -> Section:
    labels, classes = subject.labels
    # Of two classes the second says it all.
    shown = list(enumerate(classes))[1:] if len(classes) == 2 else list(enumerate(classes))
    holds = {f"{names.LABEL_RATE}/{name}": labels == code for code, name in shown}
    return _rates(subject, holds, options, max_order=1 if len(classes) > MANY else None)


def _missing(subject: Subject, options: Options) -> Section:
    table, holds = subject.table, {}
    for feature in subject.schema.features:
        missing = table[feature].isna().to_numpy()
        if missing.any():
            holds[f"{names.MISSING_RATE}/{feature}"] = missing
    # Of columns that were filled, an own feature says in which rows.
    for suffix in _FLAGS:
        for feature in subject.schema.features:
            if feature.endswith(suffix) and (table[feature] > 0).any():
                column = feature.removesuffix(suffix)
                holds[f"{names.MISSING_RATE}/{column}"] = (table[feature] > 0).to_numpy()
    return _rates(subject, holds, options)


def _disagreement(
    subject: Subject, rows: npt.NDArray[np.int64], doubted: npt.NDArray[np.bool_], options: Options
) -> Section:
    if not subject.labels[1]:
        return [], []
    holds = {names.LABEL_DISAGREEMENT: doubted}
    return _rates(Subject(subject.schema, subject.table.iloc[rows]), holds, options)


def _rates(
    subject: Subject,
    holds: Mapping[str, npt.NDArray[np.bool_]],
    options: Options,
    *,
    max_order: int | None = None,
) -> Section:
    """Return the share of rows for which each thing holds, by group, and the widest gaps."""
    rows, gaps, design = [], [], subject.design
    order = max_order or options.max_order
    combinations = [(), *_combinations(subject, order)] if holds else []
    for chosen in combinations:
        name, labels, codes = groups.combination_groups(subject.table, chosen)
        for metric, true in holds.items():
            counted = design.rates(true, codes, len(labels))
            found = _shares(name, metric, labels, codes, counted, design, options)
            rows += found.rows(options.rule.confidence)
            if chosen:
                gaps.append(
                    shares.widest_gap(found, confidence=options.rule.confidence, family=len(holds))
                )
    return rows, gaps


def _shares(
    attribute: str,
    metric: str,
    labels: list[str],
    codes: npt.NDArray[np.int64],
    counted: Counted,
    design: Design,
    options: Options,
) -> Shares:
    units = len(codes) if design.entity is None else len(np.unique(design.entity))
    enough = options.rule.enough(design.sizes(codes, len(labels)), units)
    n = np.bincount(codes, minlength=len(labels))
    return Shares(attribute, metric, labels, counted, n, enough)


def _both_counts(
    design: Design, codes: npt.NDArray[np.int64], groups: int
) -> list[dict[str, float]]:
    """Return, beside the rows, the entities and the summed weights of each group where known."""
    found: list[dict[str, float]] = [{} for _ in range(groups)]
    if design.entity is not None:
        for own, count in zip(found, design.sizes(codes, groups), strict=True):
            own["entities"] = int(count)
    if design.weight is not None:
        summed = np.bincount(codes, weights=design.weight, minlength=groups)
        for own, weight in zip(found, summed, strict=True):
            own["weight"] = float(weight)
    return found


def _entities(subject: Subject, rows: npt.NDArray[np.int64]) -> list[str] | None:
    if names.ENTITY not in subject.table:
        return None
    return [str(value) for value in subject.table[names.ENTITY].iloc[rows]]


def _disputed(
    subject: Subject,
    rows: npt.NDArray[np.int64],
    space: npt.NDArray[np.float64],
    options: Options,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    labels, classes = subject.labels
    if not classes:
        return np.zeros(len(rows), dtype=bool), np.zeros(len(rows), dtype=np.int64)
    entities = _entities(subject, rows)
    return disagreement.disputed(
        space, labels[rows], neighbours=options.neighbours, entities=entities
    )


def _named(
    subject: Subject,
    rows: npt.NDArray[np.int64],
    doubted: npt.NDArray[np.bool_],
    said: npt.NDArray[np.int64],
) -> list[dict[str, str]]:
    labels, classes = subject.labels
    table = subject.table
    return [
        {
            "sample_id": str(table["sample_id"].iloc[rows[i]]),
            "split": str(table["split"].iloc[rows[i]]),
            "label": classes[labels[rows[i]]],
            "neighbours_say": classes[said[i]],
        }
        for i in np.flatnonzero(doubted)[:SHOWN]
    ]


def _proxies(
    subject: Subject,
    rows: npt.NDArray[np.int64],
    space: npt.NDArray[np.float64],
    options: Options,
) -> list[dict[str, Any]]:
    found = []
    entities = _entities(subject, rows)
    for attribute in subject.schema.attributes:
        values = subject.table[attribute].iloc[rows].to_numpy(dtype=object)
        proxy = proxies.find_proxy(
            space,
            values,
            attribute=attribute,
            folds=options.folds,
            min_group_size=options.rule.min_group_size,
            confidence=options.rule.confidence,
            seed=options.seed,
            entities=entities,
        )
        columns = _columns(subject)
        strongest = (
            proxies.strongest_features(space, columns, values, count=STRONGEST)
            if len(columns) == space.shape[1]
            else []
        )
        found.append({**proxy, "strongest": strongest})
    return found


def _columns(subject: Subject) -> list[str]:
    features = list(subject.schema.features)
    if not features or subject.images is not None:
        return []
    return [str(name) for name in pd.get_dummies(subject.table[features]).columns]
