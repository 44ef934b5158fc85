"""The whole audit of a prepared data set, as ``reports/data_audits/<dataset>.json`` holds it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.data_audit import duplicates, groups, proxies
from plumbline.data_audit.dataset import AuditedDataset, vectors
from plumbline.data_audit.disagreement import disputed_labels
from plumbline.data_audit.groups import Reference
from plumbline.data_audit.notes import audit_notes
from plumbline.data_audit.options import DataAuditOptions
from plumbline.errors import DataError
from plumbline.metrics.groups.confusions import combinations
from plumbline.metrics.groups.grouping import pooled_notes

SHOWN = 30  # disputed labels named in the document
STRONGEST = 5  # features named beside a proxy

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


def audit_dataset(
    dataset: AuditedDataset, *, options: DataAuditOptions, reference: Reference
) -> dict[str, Any]:
    """Return the audit of a prepared data set.

    Parameters
    ----------
    dataset : AuditedDataset
    options : DataAuditOptions
    reference : mapping
        Shares of a declared population, by attribute (``sex`` or ``sex×age_band``) and group.

    Raises
    ------
    DataError
        If the reference names an attribute that the data lack.
    """
    schema, table = dataset.schema, dataset.table
    check_reference(dataset, reference, max_order=options.max_order)
    rows = dataset.sampled(options.max_rows)
    found = duplicates.find_duplicates(dataset, rows, thresholds=options.near_duplicate)
    space = vectors(dataset, rows)
    labels, classes = dataset.labels
    entities = dataset.entities(rows)
    missing = groups.missing_rates(dataset, options)
    sections = [
        groups.representation(dataset, options, reference),
        groups.label_rates(dataset, options),
        missing,
    ]
    disputed: list[dict[str, str]] = []
    if classes:
        doubtful, suggested = disputed_labels(
            space, labels[rows], neighbours=options.neighbours, entities=entities
        )
        sample = AuditedDataset(schema, table.iloc[rows])
        indicators = {names.LABEL_DISAGREEMENT: doubtful}
        sections.append(groups.rates(sample, indicators, options, max_order=options.max_order))
        disputed = _listed(sample, doubtful, labels[rows], suggested, classes)
    return {
        "dataset": schema.dataset,
        "source": schema.source,
        "task": schema.task,
        "n": len(table),
        "splits": {split: int((table["split"] == split).sum()) for split in names.SPLITS},
        "rows_examined": len(rows),
        **dataset.design.facts(),
        "confidence": options.confidence,
        "attributes": list(schema.attributes),
        "reference": {attribute: dict(expected) for attribute, expected in reference.items()},
        "rows": [row for found_rows, _ in sections for row in found_rows],
        "gaps": [gap for _, gaps in sections for gap in gaps],
        "proxies": _proxies(dataset, rows, space, entities, options),
        "duplicates": found,
        "disputed": disputed,
        "injected_bias": schema.about.get("injected_bias"),
        "notes": audit_notes(
            dataset,
            options=options,
            rows_examined=len(rows),
            reference=bool(reference),
            missing=bool(missing[0]),
        )
        + _pooled(sections[0][0]),
    }


def check_reference(dataset: AuditedDataset, reference: Reference, *, max_order: int) -> None:
    """Check a declared population against the data.

    Raises
    ------
    DataError
        If it names an attribute that the data do not have, or its shares do not sum to 1.
    """
    known = {
        names.INTERSECTION.join(attributes)
        for attributes in combinations(dataset.schema.attributes, max_order=max_order)
    }
    for attribute, expected in reference.items():
        if attribute not in known:
            raise DataError(
                f"data_audit: reference of {dataset.schema.dataset} must name one of "
                f"{sorted(known)}, got {attribute!r}"
            )
        if abs(sum(expected.values()) - 1) > 1e-6:
            raise DataError(
                f"data_audit: reference shares of {attribute} must sum to 1, got "
                f"{sum(expected.values()):g}"
            )


def _listed(
    sample: AuditedDataset,
    doubtful: npt.NDArray[np.bool_],
    labels: Rows,
    suggested: Rows,
    classes: tuple[str, ...],
) -> list[dict[str, str]]:
    ids, splits = sample.table["sample_id"], sample.table["split"]
    return [
        {
            "sample_id": str(ids.iloc[i]),
            "split": str(splits.iloc[i]),
            "label": classes[labels[i]],
            "neighbours_label": classes[suggested[i]],
        }
        for i in np.flatnonzero(doubtful)[:SHOWN]
    ]


def _proxies(
    dataset: AuditedDataset,
    rows: Rows,
    space: Floats,
    entities: list[str] | None,
    options: DataAuditOptions,
) -> list[dict[str, Any]]:
    features = list(dataset.schema.features) if dataset.images is None else []
    encoded = pd.get_dummies(dataset.table[features]) if features else pd.DataFrame()
    columns = [str(name) for name in encoded.columns]
    found = []
    for attribute in dataset.schema.attributes:
        values = dataset.table[attribute].iloc[rows].to_numpy(dtype=object)
        proxy = proxies.find_proxy(
            space,
            values,
            attribute=attribute,
            folds=options.folds,
            min_group_size=options.min_group_size,
            confidence=options.confidence,
            seed=options.seed,
            entities=entities,
        )
        strongest = (
            proxies.strongest_features(space, columns, values, count=STRONGEST)
            if len(columns) == space.shape[1]
            else []
        )
        found.append({**proxy, "strongest": strongest})
    return found


def _pooled(representation: list[dict[str, Any]]) -> list[str]:
    shares = [row for row in representation if row["metric"] == names.SHARE]
    return pooled_notes(pd.DataFrame(shares, columns=["attribute", "group", "n"]))
