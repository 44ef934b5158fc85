"""Rebalance a group that is rare in the training images (preprocessing).

Three fits that differ in the training rows alone: undersampled, oversampled with repeated rows of
the group, and with generated images. The generator sees the undersampled rows only; an image
it draws is taken if its own moments place it in the group. Whether it also shows the requested
class is not checked: a classifier that could say so would have to be one that is tried here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.audit.build import predictions_to_audit
from plumbline.audit.options import AuditOptions
from plumbline.data.base.injection import inject
from plumbline.data.base.prepared import PreparedData
from plumbline.data.pixels.moments import measure_styles

Images = npt.NDArray[np.uint8]
Codes = npt.NDArray[np.int64]
# Draws images ``(n, C, S, S)`` of the requested classes, ``(n,)``, from a seed.
Draw = Callable[[Codes, int], Images]

UNDERSAMPLED, OVERSAMPLED, GENERATED = "undersampled", "oversampled", "generated"
VARIANTS = (UNDERSAMPLED, OVERSAMPLED, GENERATED)
_GAP = ("value", "low", "high", "lowest", "highest", "verdict")


class Filling(NamedTuple):
    """What a generator gave: the images that were taken, ``(n, C, S, S)``, and their classes.

    ``drawn`` counts all images drawn, ``unfilled`` the rows still missing by class.
    """

    images: Images
    labels: Codes
    drawn: int
    unfilled: dict[int, int]


def reason_against(
    prepared: PreparedData, *, attribute: str, group: str, image_size: int
) -> str | None:
    """Return why the group cannot be filled by measured images, None if it can."""
    measured = prepared.schema.about.get("thresholds", {}).get(str(image_size), {})
    if attribute not in measured:
        return f"{attribute} is not measured on images of {prepared.schema.source}"
    if group not in set(prepared.table.loc[prepared.table["split"] == names.TRAIN, attribute]):
        return f"no training image of {prepared.schema.source} has the {attribute} {group}"
    return None


def undersample(
    prepared: PreparedData, *, attribute: str, group: str, share: float, image_size: int, seed: int
) -> PreparedData:
    """Return the data of one image size with the group undersampled in the training split."""
    single = replace(prepared, images={image_size: prepared.images[image_size]})
    return inject(single, resample={attribute: {group: share}}, seed=seed)


def missing_rows(
    full: pd.DataFrame, undersampled: pd.DataFrame, *, attribute: str, group: str
) -> dict[int, int]:
    """Return by class how many training rows of the group were removed.

    Classes of which no row of the group is left are absent: there is none to repeat.
    """
    before, after = (_cells(table, attribute, group) for table in (full, undersampled))
    return {y: before[y] - after[y] for y in sorted(after) if before[y] > after[y]}


def fill(
    draw: Draw,
    missing: Mapping[int, int],
    *,
    thresholds: Mapping[str, Any],
    attribute: str,
    group: str,
    draws_per_row: int,
    seed: int,
) -> Filling:
    """Draw as many images as are missing, take those in the group, and again for the rest.

    An image is in the group if its moments place it there.

    Parameters
    ----------
    draw : callable
    missing : mapping of int to int
        Rows wanted by class.
    thresholds : mapping
        Bounds of the measures at this image size; see `measure_styles`.
    attribute, group : str
    draws_per_row : int
        How often, at most, an image is drawn for a missing row; what is missing then stays so.
    seed : int

    Raises
    ------
    ValueError
        If no row is wanted.
    """
    if not missing:
        raise ValueError("fill: missing must name a class, got none")
    wanted, images, labels, drawn = dict(missing), [], [], 0
    for number in range(draws_per_row):
        if not wanted:
            break
        asked = np.repeat(list(wanted), list(wanted.values())).astype(np.int64)
        made = draw(asked, seed + number)
        inside = (measure_styles(_grey(made), thresholds)[attribute] == group).to_numpy()
        images.append(made[inside])
        labels.append(asked[inside])
        drawn += len(asked)
        found = Counter(asked[inside].tolist())
        wanted = {y: n - found[y] for y, n in wanted.items() if n > found[y]}
    return Filling(np.concatenate(images), np.concatenate(labels), drawn, wanted)


def with_generated(undersampled: PreparedData, filling: Filling) -> PreparedData:
    """Return the data with the images of a filling among the training rows.

    Their groups are those that their moments give; an attribute that cannot be measured is unknown.
    """
    (size,) = undersampled.images
    rows = pd.DataFrame(
        {
            "sample_id": [f"generated-{i:06d}" for i in range(len(filling.labels))],
            "split": names.TRAIN,
            "y": filling.labels,
            **dict.fromkeys(undersampled.schema.attributes, names.UNKNOWN),
        }
    )
    if len(rows):
        measured = measure_styles(
            _grey(filling.images), undersampled.schema.about["thresholds"][str(size)]
        )
        for attribute in measured.columns.intersection(list(undersampled.schema.attributes)):
            rows[attribute] = measured[attribute]
    return _extended(undersampled, rows, filling.images)


def with_repeated(
    undersampled: PreparedData, wanted: Mapping[int, int], *, attribute: str, group: str, seed: int
) -> PreparedData:
    """Return the data with so many training rows of the group and class drawn again, by lot."""
    (size,) = undersampled.images
    table, rng = undersampled.table, np.random.default_rng(seed)
    own = _is_cell(table, attribute, group)
    chosen = [
        rng.choice(np.flatnonzero(own & (table["y"] == y)), size=n) for y, n in wanted.items()
    ]
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *chosen])
    again = table.iloc[rows].copy()
    again["sample_id"] = [f"{name}-again-{i:06d}" for i, name in enumerate(again["sample_id"])]
    return _extended(undersampled, again, undersampled.images[size][rows])


def variant_row(
    variant: str,
    predictions: Predictions,
    *,
    attribute: str,
    group: str,
    added: int,
    options: AuditOptions,
) -> dict[str, Any]:
    """Return one row of the report: accuracy of all and of the group, and the gap between groups.

    ``accuracy`` and ``group_accuracy`` have ``value, low, high``, the gap also its verdict, as the
    audit gives them on the rows of the table.
    """
    audit = predictions_to_audit(predictions, replace(options, max_order=1))
    found = {
        (row["attribute"], row["group"]): {key: row[key] for key in ("value", "low", "high")}
        for row in audit["rows"]
        if row["metric"] == names.ACCURACY
    }
    gaps = [
        {key: gap[key] for key in _GAP}
        for gap in audit["gaps"]
        if (gap["attribute"], gap["metric"], gap["comparison"])
        == (attribute, names.ACCURACY, "difference")
    ]
    return {
        "variant": variant,
        "added": added,
        "accuracy": found[names.OVERALL, names.EVERYONE],
        "group_accuracy": found.get((attribute, group)),
        "gap": gaps[0] if gaps else None,
    }


def _grey(images: Images) -> Images:
    """Return images ``(N, C, H, W)`` without colour, ``(N, H, W)``."""
    grey: Images = images.mean(axis=1).round().astype(np.uint8)
    return grey


def _cells(table: pd.DataFrame, attribute: str, group: str) -> Counter[int]:
    return Counter(int(y) for y in table.loc[_is_cell(table, attribute, group), "y"])


def _is_cell(table: pd.DataFrame, attribute: str, group: str) -> npt.NDArray[np.bool_]:
    return ((table["split"] == names.TRAIN) & (table[attribute] == group)).to_numpy()


def _extended(undersampled: PreparedData, rows: pd.DataFrame, images: Images) -> PreparedData:
    if rows.empty:
        return undersampled
    ((size, stack),) = undersampled.images.items()
    if "labelled" in undersampled.table:
        rows = rows.assign(labelled=False)
    table = pd.concat(
        [undersampled.table, rows[list(undersampled.table.columns)]], ignore_index=True
    )
    return replace(undersampled, table=table, images={size: np.concatenate([stack, images])})
