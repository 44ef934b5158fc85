"""Comparisons between groups: representation, labels and missing values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.data_audit import shares
from plumbline.data_audit.dataset import AuditedDataset
from plumbline.data_audit.options import DataAuditOptions
from plumbline.data_audit.shares import Shares
from plumbline.metrics.groups.confusions import combinations
from plumbline.metrics.groups.rates import combination_groups
from plumbline.metrics.intervals.survey_design import Counted, Design

Reference = Mapping[str, Mapping[str, float]]
Section = tuple[list[dict[str, Any]], list[dict[str, Any]]]  # rows, gaps

_FLAGS = ("_missing", "=(missing)")  # endings of features that mark imputed values
MAX_CLASSES = 12  # of more classes, label rates are given by single attributes only


def representation(
    dataset: AuditedDataset, options: DataAuditOptions, reference: Reference
) -> Section:
    """Return each group's share of the data, and how it differs between the splits.

    Groups of ``reference`` are also compared with their declared share of a population.
    """
    train, design, confidence = dataset.train, dataset.design, options.confidence
    rows, gaps = [], []
    for attributes in combinations(dataset.schema.attributes, max_order=options.max_order):
        name, labels, codes = combination_groups(dataset.table, attributes)
        counted = design.shares(codes, len(labels))
        found = _shares(name, names.SHARE, labels, codes, counted, design, options)
        counts = _design_counts(design, codes, len(labels))
        rows += [{**r, **c} for r, c in zip(found.rows(confidence), counts, strict=True)]
        if name in reference:
            rows += shares.against_reference(found, reference[name], confidence=confidence)
        sides = [design.at(side).shares(codes[side], len(labels)) for side in (train, ~train)]
        gaps.append(
            shares.split_drift(
                name, labels, train=sides[0], held_out=sides[1], confidence=confidence
            )
        )
    return rows, gaps


def label_rates(dataset: AuditedDataset, options: DataAuditOptions) -> Section:
    """Return the share of each class by group; of two classes, that of the second."""
    labels, classes = dataset.labels
    shown = list(enumerate(classes))[1 if len(classes) == 2 else 0 :]
    indicators = {f"{names.LABEL_RATE}/{name}": labels == code for code, name in shown}
    order = 1 if len(classes) > MAX_CLASSES else options.max_order
    return rates(dataset, indicators, options, max_order=order)


def missing_rates(dataset: AuditedDataset, options: DataAuditOptions) -> Section:
    """Return the share of missing values of each feature by group, imputed values included."""
    table, indicators = dataset.table, {}
    for feature in dataset.schema.features:
        missing = table[feature].isna().to_numpy()
        if missing.any():
            indicators[f"{names.MISSING_RATE}/{feature}"] = missing
    for suffix in _FLAGS:
        for feature in dataset.schema.features:
            if feature.endswith(suffix) and (imputed := (table[feature] > 0).to_numpy()).any():
                indicators[f"{names.MISSING_RATE}/{feature.removesuffix(suffix)}"] = imputed
    return rates(dataset, indicators, options, max_order=options.max_order)


def rates(
    dataset: AuditedDataset,
    indicators: Mapping[str, npt.NDArray[np.bool_]],
    options: DataAuditOptions,
    *,
    max_order: int,
) -> Section:
    """Return the share of rows for which each indicator is true, by group, and the widest gaps.

    Parameters
    ----------
    dataset : AuditedDataset
    indicators : mapping of str to bool array (N,)
        By the name of the metric.
    options : DataAuditOptions
    max_order : int
    """
    rows: list[dict[str, Any]] = []
    gaps: list[dict[str, Any]] = []
    design = dataset.design
    if not indicators:
        return rows, gaps
    for attributes in combinations(dataset.schema.attributes, max_order=max_order, overall=True):
        name, labels, codes = combination_groups(dataset.table, attributes)
        for metric, true in indicators.items():
            counted = design.rates(true, codes, len(labels))
            found = _shares(name, metric, labels, codes, counted, design, options)
            rows += found.rows(options.confidence)
            if attributes:
                gaps.append(
                    shares.widest_gap(found, confidence=options.confidence, family=len(indicators))
                )
    return rows, gaps


def _shares(
    attribute: str,
    metric: str,
    labels: list[str],
    codes: npt.NDArray[np.int64],
    counted: Counted,
    design: Design,
    options: DataAuditOptions,
) -> Shares:
    enough = options.comparable(attribute, labels, design.sizes(codes, len(labels)))
    n = np.bincount(codes, minlength=len(labels))
    return Shares(attribute, metric, labels, counted, n, enough)


def _design_counts(
    design: Design, codes: npt.NDArray[np.int64], groups: int
) -> list[dict[str, float]]:
    """Return the number of entities and the sum of weights of each group, where known."""
    columns: dict[str, list[float]] = {}
    if design.entity is not None:
        columns["entities"] = design.sizes(codes, groups).tolist()
    if design.weight is not None:
        summed = np.bincount(codes, weights=design.weight, minlength=groups)
        columns["weight"] = summed.tolist()
    return [{key: column[g] for key, column in columns.items()} for g in range(groups)]
