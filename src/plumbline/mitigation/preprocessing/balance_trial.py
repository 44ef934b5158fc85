"""Compare undersampled, oversampled and generated training images by fits from one seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from plumbline import artifacts
from plumbline.artifacts import Predictions
from plumbline.audit.options import AuditOptions
from plumbline.data.base.prepared import PreparedData
from plumbline.mitigation.preprocessing import balance


@dataclass(frozen=True)
class Asked:
    """The group that is undersampled and rebalanced; see ``balance_images`` in ``params.yaml``."""

    attribute: str
    group: str
    share: float
    draws_per_row: int


def read_images(folder: Path, *, size: int) -> PreparedData:
    """Return prepared images of one size."""
    table = artifacts.read_split_table(folder)
    images = {size: artifacts.read_images(folder, size, rows=len(table))}
    return PreparedData(artifacts.DatasetSchema.read(folder), table, images)


def try_balance(
    prepared: PreparedData,
    asked: Asked,
    *,
    train_generator: Callable[[Path], balance.Draw],
    fit: Callable[[str, Path], Predictions],
    options: AuditOptions,
    work: Path,
) -> dict[str, Any]:
    """Return what ``reports/mitigation/balance.json`` holds.

    Parameters
    ----------
    prepared : PreparedData
        Of one image size.
    asked : Asked
    train_generator : callable
        Fits a generator to the training rows of a prepared folder, the undersampled one.
    fit : callable
        Takes a variant of `balance.VARIANTS` and its prepared folder, fits the classifier and
        returns its predictions of the test rows.
    options : AuditOptions
    work : Path
        Scratch folder.
    """
    (size,) = prepared.images
    which = {"attribute": asked.attribute, "group": asked.group}
    head = {"source": prepared.schema.source, **asdict(asked), "confidence": options.confidence}
    if reason := balance.reason_against(prepared, **which, image_size=size):
        return {**head, "skipped": reason}
    seed = options.seed
    undersampled = balance.undersample(
        prepared, **which, share=asked.share, image_size=size, seed=seed
    )
    missing = balance.missing_rows(prepared.table, undersampled.table, **which)
    if not missing:
        return {**head, "skipped": "no row was removed that could be replaced"}
    folder = work / balance.UNDERSAMPLED
    undersampled.write(folder)
    filling = balance.fill(
        train_generator(folder),
        missing,
        thresholds=undersampled.schema.about["thresholds"][str(size)],
        **which,
        draws_per_row=asked.draws_per_row,
        seed=seed,
    )
    # What was not filled is not repeated either: the two differ in what the rows are, not in how
    # many there are.
    filled = dict(sorted(Counter(int(y) for y in filling.labels).items()))
    variants = {
        balance.UNDERSAMPLED: undersampled,
        balance.OVERSAMPLED: balance.with_repeated(undersampled, filled, **which, seed=seed),
        balance.GENERATED: balance.with_generated(undersampled, filling),
    }
    rows = []
    for variant, data in variants.items():
        if variant != balance.UNDERSAMPLED:
            data.write(work / variant)
        rows.append(
            balance.variant_row(
                variant,
                fit(variant, work / variant),
                **which,
                added=len(data.table) - len(undersampled.table),
                options=options,
            )
        )
    return {
        **head,
        "skipped": None,
        "injected_bias": undersampled.schema.about["injected_bias"],
        "removed": len(prepared.table) - len(undersampled.table),
        "wanted": sum(missing.values()),
        "drawn": filling.drawn,
        "accepted": len(filling.labels),
        "accepted_share": len(filling.labels) / filling.drawn,
        "cells": len(missing),
        "cells_unfilled": len(filling.unfilled),
        "unfilled": {prepared.schema.classes[y]: n for y, n in filling.unfilled.items()},
        "rows": rows,
    }
