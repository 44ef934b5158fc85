"""Groups, their counts and their rates.

Counts are sufficient: every rate and interval comes from the cells of a `Tensor`. ``G`` groups.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.errors import MetricError
from plumbline.metrics import intervals, shares
from plumbline.metrics.confusions import DESIGN_COLUMNS, design_to_share

Floats = npt.NDArray[np.float64]

# effective: independent rows that a share is worth, NaN where the value is no share.
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


def combination_groups(
    table: pd.DataFrame, attributes: Sequence[str]
) -> tuple[str, list[str], npt.NDArray[np.int64]]:
    """Return the name of a combination, its groups and the group of every row, ``(N,)``.

    The name of an intersection is ``sex×age_band`` and a group of it ``female×60+``. Groups are
    all products of the values that occur, in sorted order, those without a row among them. No
    attribute at all gives `names.OVERALL` with the one group `names.EVERYONE`.

    Raises
    ------
    MetricError
        If the table lacks an attribute, or a value is missing.
    """
    codes, values = np.zeros(len(table), dtype=np.int64), []
    if not attributes:
        return names.OVERALL, [names.EVERYONE], codes
    for attribute in attributes:
        if attribute not in table.columns:
            raise MetricError(f"groups: table must have the attribute {attribute!r}, got no column")
        if table[attribute].isna().any():
            raise MetricError(
                f"groups: attribute {attribute!r} must be defined, got missing values; "
                "name them as a group of their own"
            )
        own, found = pd.factorize(table[attribute].astype(str), sort=True)
        codes = codes * len(found) + own
        values.append([str(value) for value in found])
    groups = [names.INTERSECTION.join(group) for group in itertools.product(*values)]
    return names.INTERSECTION.join(attributes), groups, codes


def counts_to_rates(counts: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Return the rates of every group with intervals (`shares.share_interval`), in long form.

    With a positive class: the eight rates of `names.GROUP_RATES`. Otherwise accuracy, and balanced
    accuracy, which is undefined in a group that lacks one of the classes: means over different
    classes are not comparable.

    Returns
    -------
    DataFrame
        Columns `RATE_COLUMNS`; ``n`` is the rate's denominator, ``value`` NaN where that is 0.
    """
    if counts.empty:
        return pd.DataFrame(columns=RATE_COLUMNS)
    binary = counts["class"].isna().all()
    rates = _binary_rates if binary else _multiclass_rates
    return pd.concat(rates(counts, confidence), ignore_index=True)[RATE_COLUMNS]


def _binary_rates(counts: pd.DataFrame, confidence: float) -> list[pd.DataFrame]:
    keys = {name: counts[name].to_numpy() for name in ("attribute", "group")}
    return [
        _shares(keys, metric, *_share(counts, above, below), confidence)
        for metric, (above, below) in RATES.items()
    ]


def _share(
    counts: pd.DataFrame, above: tuple[str, ...], below: tuple[str, ...]
) -> tuple[Floats, Floats, Floats]:
    """Return value, effective size and number of rows of a share of every group."""
    n = counts[list(below)].sum(axis=1).to_numpy(np.float64)
    if DESIGN_COLUMNS[0] not in counts:
        hits = counts[list(above)].sum(axis=1).to_numpy(np.float64)
        return intervals.proportion(hits, n), n, n
    return (*design_to_share(counts, above, below), n)


def _multiclass_rates(counts: pd.DataFrame, confidence: float) -> list[pd.DataFrame]:
    keys, by_class = ["attribute", "group"], {}
    for label, own in counts.groupby("class", sort=False):
        value, size, n = _share(own, ("tp",), ("tp", "fn"))
        by_class[label] = (value, *_ends(value, size, confidence), n)
    value, low, high, n = (np.stack(part) for part in zip(*by_class.values(), strict=True))
    # MOVER for a mean of independent shares: squared distances to the ends add up.
    mean, k = value.mean(axis=0), len(value)
    below, above = (np.sqrt(((value - end) ** 2).sum(axis=0)) / k for end in (low, high))
    labels = {key: own[key].to_numpy() for key in keys}
    balanced = pd.DataFrame(
        {
            **labels,
            "metric": names.BALANCED_ACCURACY,
            "value": mean,
            "low": np.clip(mean - below, 0, 1),
            "high": np.clip(mean + above, 0, 1),
            "n": n.sum(axis=0).astype(np.int64),
            "effective": np.nan,
        }
    )
    return [_shares(labels, names.ACCURACY, *_right(counts), confidence), balanced]


def _right(counts: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    """Return accuracy, its effective size and number of rows of groups counted class by class."""
    by_group = counts.groupby(["attribute", "group"], sort=False)
    sums = by_group[["tp", "fn"]].sum().sum(axis=1).to_numpy(np.float64)
    if "accuracy" in counts:
        return (
            by_group["accuracy"].first().to_numpy(np.float64),
            by_group["accuracy_size"].first().to_numpy(np.float64),
            sums,
        )
    return intervals.proportion(by_group["tp"].sum(), sums), sums, sums


def class_rates(counts: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Return the rates of each class against the rest, named ``<rate>/<class>``."""
    frames = []
    for label, own in counts.groupby("class", sort=False):
        for frame in _binary_rates(own, confidence):
            frames.append(frame.assign(metric=frame["metric"] + f"/{label}"))
    return pd.concat(frames, ignore_index=True)[RATE_COLUMNS]


def _shares(
    keys: Mapping[str, npt.ArrayLike],
    metric: str,
    value: Floats,
    size: Floats,
    n: Floats,
    confidence: float,
) -> pd.DataFrame:
    low, high = _ends(value, size, confidence)
    estimate = {"value": value, "low": low, "high": high, "n": n.astype(np.int64)}
    return pd.DataFrame({**keys, "metric": metric, **estimate, "effective": size})


def _ends(value: Floats, size: Floats, confidence: float) -> intervals.Interval:
    known = np.where(np.isnan(value), 0.0, np.nan_to_num(size))
    return shares.share_interval(np.nan_to_num(value) * known, known, confidence=confidence)
