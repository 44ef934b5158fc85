"""Groups, their counts and their rates.

Counts are sufficient: every rate and interval comes from the cells of a `ContingencyTable`.
``G`` groups.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.metrics.groups.confusions import DESIGN_COLUMNS, Columns, design_to_share
from plumbline.metrics.groups.counting import MOST_GROUPS, attribute_codes
from plumbline.metrics.groups.grouping import combined
from plumbline.metrics.intervals import proportions, shares
from plumbline.metrics.intervals.survey_design import Design

Floats = npt.NDArray[np.float64]
# Value, effective size and number of rows of every group, ``(G,)`` each, or ``(metrics, G)``.
Share = tuple[Floats, Floats, Floats]

# effective: effective size of a share, NaN where the value is no share.
RATE_COLUMNS = ["attribute", "group", "metric", "value", "low", "high", "n", "effective"]
# Numerator and denominator of each rate, as sums of these counts.
RATES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    names.SELECTION_RATE: (("tp", "fp"), ("tp", "fp", "tn", "fn")),
    names.TPR: (("tp",), ("tp", "fn")),
    names.FPR: (("fp",), ("fp", "tn")),
    names.TNR: (("tn",), ("fp", "tn")),
    names.FNR: (("fn",), ("tp", "fn")),
    names.PPV: (("tp",), ("tp", "fp")),
    names.NPV: (("tn",), ("tn", "fn")),
    names.ACCURACY: (("tp", "tn"), ("tp", "fp", "tn", "fn")),
}
# Which of `shares.CELLS` the numerators and the denominators sum, ``(8, 4)`` each.
_SIDES = np.array(
    [[[cell in parts[i] for cell in shares.CELLS] for parts in RATES.values()] for i in (0, 1)],
    dtype=np.float64,
)


def combination_groups(
    table: pd.DataFrame,
    attributes: Sequence[str],
    rows: npt.ArrayLike | None = None,
    *,
    most: int = MOST_GROUPS,
) -> tuple[str, list[str], npt.NDArray[np.int64]]:
    """Return the name of a combination, its groups and the group of every row, ``(N,)``.

    The name of an intersection is ``sex×age_band`` and a group of it ``female×60+``; see
    `grouping.combined`. No attribute at all gives `names.OVERALL` with the one group
    `names.EVERYONE`.

    Parameters
    ----------
    table : DataFrame
    attributes : sequence of str
    rows : array_like, (N,), optional
        What each row counts for in the size of its group; 1 without.
    most : int
        Largest number of groups.

    Raises
    ------
    MetricError
        If the table lacks an attribute.
    """
    if not attributes:
        return names.OVERALL, [names.EVERYONE], np.zeros(len(table), dtype=np.int64)
    columns, values = [], []
    for attribute in attributes:
        own, found = attribute_codes(table, attribute)
        present = np.bincount(own, minlength=len(found)) > 0
        columns.append((np.cumsum(present) - 1)[own])
        values.append(list(itertools.compress(found, present)))
    labels, codes = combined(columns, values, rows, most=most)
    return names.INTERSECTION.join(attributes), labels, codes


def counts_to_rates(counts: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Return `rate_columns` of a frame as a frame."""
    return pd.DataFrame(rate_columns(_columns(counts), confidence=confidence))


def class_rates(counts: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Return the rates of each class against the rest, named ``<rate>/<class>``."""
    columns = [
        _rates(own, [f"{rate}/{label}" for rate in RATES], _binary(own), confidence)
        for label, own in _by_class(_columns(counts)).items()
    ]
    return pd.DataFrame(_stacked(columns))


def rate_columns(counts: Columns, *, confidence: float) -> Columns:
    """Return the rates of every group with intervals (`shares.share_interval`), in long form.

    With a positive class: the eight rates of `names.GROUP_RATES`. Otherwise accuracy, and balanced
    accuracy, which is undefined in a group that lacks one of the classes: means over different
    classes are not comparable.

    Returns
    -------
    dict of ndarray
        `RATE_COLUMNS`; ``n`` is the rate's denominator, ``value`` NaN where that is 0.
    """
    if not len(counts["n"]):
        return {name: np.empty(0, dtype=object) for name in RATE_COLUMNS}
    if pd.isna(counts["class"]).all():
        return _rates(counts, list(RATES), _binary(counts), confidence)
    by_class = list(_by_class(counts).values())
    accuracy = _rates(by_class[0], [names.ACCURACY], _right(by_class), confidence)
    return _stacked([accuracy, _balanced(by_class, confidence)])


def balanced_accuracy_of_rows(
    true: npt.NDArray[np.int64],
    decided: npt.NDArray[np.int64],
    design: Design,
    *,
    confidence: float,
) -> tuple[float, float, float]:
    """Return value, low and high of the balanced accuracy of rows, over the classes that occur.

    Where every class occurs it is that of `rate_columns`.

    Parameters
    ----------
    true, decided : ndarray of int, (N,)
        Class codes from 0.
    design : Design
    confidence : float
        In (0, 1).
    """
    recall = design.rates(true == decided, true, int(true.max()) + 1)
    occurs = ~np.isnan(recall.value)
    value, size = (part[occurs][:, None] for part in (recall.value, recall.trials))
    mean, low, high = _mean_share(value, size, confidence)
    return float(mean[0]), float(low[0]), float(high[0])


def _columns(counts: pd.DataFrame) -> Columns:
    return {str(name): counts[name].to_numpy() for name in counts.columns}


def _by_class(counts: Columns) -> dict[str, Columns]:
    """Return the counts of each class; each has the same groups in the same order."""
    label = counts["class"]
    return {
        own: {name: column[label == own] for name, column in counts.items()}
        for own in dict.fromkeys(label)
    }


def _binary(counts: Columns) -> Share:
    """Return value, effective size and number of rows of `RATES`, ``(8, G)`` each."""
    if DESIGN_COLUMNS[0] in counts:
        value, size, n = zip(*(_share(counts, *parts) for parts in RATES.values()), strict=True)
        return np.stack(value), np.stack(size), np.stack(n)
    cells = np.stack([counts[cell] for cell in shares.CELLS]).astype(np.float64)
    hits, n = (sides @ cells for sides in _SIDES)
    return proportions.proportion(hits, n), n, n


def _share(counts: Columns, above: tuple[str, ...], below: tuple[str, ...]) -> Share:
    """Return value, effective size and number of rows of a share of every group."""
    hits, n = (
        np.asarray(sum(counts[cell] for cell in part), dtype=np.float64) for part in (above, below)
    )
    if DESIGN_COLUMNS[0] in counts:
        design = np.stack([counts[name] for name in DESIGN_COLUMNS], axis=1)
        return (*design_to_share(design, above, below), n)
    return proportions.proportion(hits, n), n, n


def _balanced(by_class: list[Columns], confidence: float) -> Columns:
    """Return the mean of the classes' true positive rates."""
    value, size, n = (
        np.stack(part)
        for part in zip(*(_share(own, ("tp",), ("tp", "fn")) for own in by_class), strict=True)
    )
    found = _mean_share(value, size, confidence)
    unknown = np.full(value.shape[1], np.nan)
    return _long(by_class[0], [names.BALANCED_ACCURACY], *found, n.sum(axis=0), unknown)


def _mean_share(value: Floats, size: Floats, confidence: float) -> tuple[Floats, Floats, Floats]:
    """Return mean, low and high of the shares of K classes, ``(G,)`` each, from ``(K, G)``.

    MOVER for a mean of independent shares: squared distances to the ends add up.
    """
    low, high = _ends(value, size, confidence)
    mean, k = value.mean(axis=0), len(value)
    below, above = (np.sqrt(((value - end) ** 2).sum(axis=0)) / k for end in (low, high))
    return mean, np.clip(mean - below, 0, 1), np.clip(mean + above, 0, 1)


def _right(by_class: list[Columns]) -> Share:
    """Return accuracy, its effective size and number of rows of groups counted class by class."""
    hits = np.sum([own["tp"] for own in by_class], axis=0).astype(np.float64)
    n = hits + np.sum([own["fn"] for own in by_class], axis=0)
    if "accuracy" in by_class[0]:
        return by_class[0]["accuracy"], by_class[0]["accuracy_size"], n
    return proportions.proportion(hits, n), n, n


def _rates(keys: Columns, metrics: list[str], by_metric: Share, confidence: float) -> Columns:
    """Return `RATE_COLUMNS` of shares of the same groups, one metric after the other."""
    value, size, n = (part.ravel() for part in by_metric)
    return _long(keys, metrics, value, *_ends(value, size, confidence), n, size)


def _long(
    keys: Columns,
    metrics: list[str],
    value: Floats,
    low: Floats,
    high: Floats,
    n: Floats,
    effective: Floats,
) -> Columns:
    return {
        "attribute": np.tile(keys["attribute"], len(metrics)),
        "group": np.tile(keys["group"], len(metrics)),
        "metric": np.repeat(np.array(metrics, dtype=object), len(keys["group"])),
        "value": value,
        "low": low,
        "high": high,
        "n": n.astype(np.int64),
        "effective": effective,
    }


def _stacked(parts: list[Columns]) -> Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _ends(value: Floats, size: Floats, confidence: float) -> proportions.Interval:
    defined = ~np.isnan(value + size)
    known = np.where(defined, size, 0.0)
    hits = np.where(defined, value, 0.0) * known
    return shares.share_interval(hits, known, confidence=confidence)
