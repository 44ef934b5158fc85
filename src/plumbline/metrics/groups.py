"""Groups, their counts and their rates.

Counts are sufficient: every rate and interval comes from the cells of a `Tensor`. ``G`` groups.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.errors import MetricError
from plumbline.metrics import intervals, shares
from plumbline.metrics.confusions import DESIGN_COLUMNS, design_to_share
from plumbline.metrics.counting import codes_of

Floats = npt.NDArray[np.float64]
# Value, effective size and number of rows of every group, ``(G,)`` each.
Share = tuple[Floats, Floats, Floats]

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
        own, found = codes_of(table[attribute])
        if own.min(initial=0) < 0:
            raise MetricError(
                f"groups: attribute {attribute!r} must be defined, got missing values; "
                "name them as a group of their own"
            )
        present = np.bincount(own, minlength=len(found)) > 0
        codes = codes * int(present.sum()) + (np.cumsum(present) - 1)[own]
        values.append(list(itertools.compress(found, present)))
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
    if counts["class"].isna().all():
        return _frame(counts, _binary(counts), confidence)
    by_class = [own for _, own in counts.groupby("class", sort=False)]
    accuracy = _frame(by_class[0], {names.ACCURACY: _right(counts)}, confidence)
    return pd.concat([accuracy, _balanced(by_class, confidence)], ignore_index=True)


def class_rates(counts: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Return the rates of each class against the rest, named ``<rate>/<class>``."""
    frames = [
        _frame(own, {f"{rate}/{label}": share for rate, share in _binary(own).items()}, confidence)
        for label, own in counts.groupby("class", sort=False)
    ]
    return pd.concat(frames, ignore_index=True)


def _binary(counts: pd.DataFrame) -> dict[str, Share]:
    share = _shares(counts)
    return {metric: share(*parts) for metric, parts in RATES.items()}


def _shares(counts: pd.DataFrame) -> Callable[[tuple[str, ...], tuple[str, ...]], Share]:
    """Return what gives value, effective size and number of rows of a share of every group."""
    cells = {cell: counts[cell].to_numpy(np.float64) for cell in shares.CELLS}
    design = None
    if DESIGN_COLUMNS[0] in counts:
        design = counts[DESIGN_COLUMNS].to_numpy(np.float64)

    def share(above: tuple[str, ...], below: tuple[str, ...]) -> Share:
        n = np.asarray(sum(cells[cell] for cell in below))
        if design is not None:
            return (*design_to_share(design, above, below), n)
        return intervals.proportion(sum(cells[cell] for cell in above), n), n, n

    return share


def _balanced(by_class: list[pd.DataFrame], confidence: float) -> pd.DataFrame:
    """Return the mean of the classes' true positive rates.

    MOVER for a mean of independent shares: squared distances to the ends add up.
    """
    value, size, n = (
        np.stack(part)
        for part in zip(*(_shares(own)(("tp",), ("tp", "fn")) for own in by_class), strict=True)
    )
    low, high = _ends(value, size, confidence)
    mean, k = value.mean(axis=0), len(value)
    below, above = (np.sqrt(((value - end) ** 2).sum(axis=0)) / k for end in (low, high))
    return pd.DataFrame(
        {
            "attribute": by_class[0]["attribute"].to_numpy(),
            "group": by_class[0]["group"].to_numpy(),
            "metric": names.BALANCED_ACCURACY,
            "value": mean,
            "low": np.clip(mean - below, 0, 1),
            "high": np.clip(mean + above, 0, 1),
            "n": n.sum(axis=0).astype(np.int64),
            "effective": np.nan,
        }
    )


def _right(counts: pd.DataFrame) -> Share:
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


def _frame(keys: pd.DataFrame, by_metric: dict[str, Share], confidence: float) -> pd.DataFrame:
    """Return `RATE_COLUMNS` of shares of the same groups, one metric after the other."""
    value, size, n = (np.concatenate(part) for part in zip(*by_metric.values(), strict=True))
    low, high = _ends(value, size, confidence)
    groups = len(keys)
    return pd.DataFrame(
        {
            "attribute": np.tile(keys["attribute"].to_numpy(), len(by_metric)),
            "group": np.tile(keys["group"].to_numpy(), len(by_metric)),
            "metric": np.repeat(np.array(list(by_metric), dtype=object), groups),
            "value": value,
            "low": low,
            "high": high,
            "n": n.astype(np.int64),
            "effective": size,
        }
    )


def _ends(value: Floats, size: Floats, confidence: float) -> intervals.Interval:
    known = np.where(np.isnan(value), 0.0, np.nan_to_num(size))
    return shares.share_interval(np.nan_to_num(value) * known, known, confidence=confidence)
