"""Groups, their counts and their rates.

Counts are sufficient: cells ``(attributes × truth × decision) → n`` are summed from a table once,
tables are pooled by adding cells, and every rate and interval comes from them. ``G`` groups, ``K``
classes.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.errors import MetricError
from plumbline.metrics import intervals

Floats = npt.NDArray[np.float64]

COUNT_COLUMNS = ["attribute", "group", "class", "n", "tp", "fp", "tn", "fn"]
RATE_COLUMNS = ["attribute", "group", "metric", "value", "low", "high", "n"]

# Numerator and denominator of each rate, as sums of these counts.
_RATES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    names.SELECTION_RATE: (("tp", "fp"), ("tp", "fp", "tn", "fn")),
    names.TPR: (("tp",), ("tp", "fn")),
    names.FPR: (("fp",), ("fp", "tn")),
    names.TNR: (("tn",), ("fp", "tn")),
    names.FNR: (("fn",), ("tp", "fn")),
    names.PPV: (("tp",), ("tp", "fp")),
    names.NPV: (("tn",), ("tn", "fn")),
    names.ACCURACY: (("tp", "tn"), ("tp", "fp", "tn", "fn")),
}


def combinations(
    attributes: Sequence[str], *, max_order: int, overall: bool = False
) -> list[tuple[str, ...]]:
    """Return the attributes and their intersections up to ``max_order``, single ones first.

    With ``overall`` the empty combination, one group of all rows, stands before them.
    """
    return [
        chosen
        for order in range(0 if overall else 1, max_order + 1)
        for chosen in itertools.combinations(attributes, order)
    ]


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


def predictions_to_cells(table: pd.DataFrame, *, attributes: Sequence[str]) -> pd.DataFrame:
    """Return how often each (attributes, y_true, y_pred) occurs: those columns and ``n``."""
    columns = [*attributes, "y_true", "y_pred"]
    return table.groupby(columns, sort=True, observed=True).size().rename("n").reset_index()


def add_cells(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the cells of tables taken together."""
    cells = pd.concat(parts, ignore_index=True)
    columns = [column for column in cells.columns if column != "n"]
    return cells.groupby(columns, sort=True, observed=True)["n"].sum().reset_index()


def cells_to_counts(
    cells: pd.DataFrame,
    *,
    attributes: Sequence[str],
    classes: Sequence[str],
    positive: str | None,
    max_order: int,
    overall: bool = False,
) -> pd.DataFrame:
    """Return confusion counts of every group, one row per group (and class, if many).

    Parameters
    ----------
    cells : DataFrame
        From `predictions_to_cells` or `add_cells`.
    attributes, classes : sequence of str
    positive : str or None
        The class whose decision is a selection; None: each class against the rest.
    max_order : int
        1: single attributes; 2: intersections of two as well; and so on.
    overall : bool
        Put the counts of all rows before those of the groups.

    Returns
    -------
    DataFrame
        Columns `COUNT_COLUMNS`; ``class`` is None where there is a positive class.

    Raises
    ------
    MetricError
        If ``positive`` is no class.
    """
    if positive is not None and positive not in classes:
        raise MetricError(f"groups: positive must be one of {list(classes)}, got {positive!r}")
    true, decided = cells["y_true"].to_numpy(np.int64), cells["y_pred"].to_numpy(np.int64)
    n, frames = cells["n"].to_numpy(np.int64), []
    for chosen in combinations(attributes, max_order=max_order, overall=overall):
        name, groups, codes = combination_groups(cells, chosen)
        total = _sum_by(codes, n, len(groups))
        for k, label in enumerate(classes):
            if positive not in (None, label):
                continue
            tp = _sum_by(codes, n * ((true == k) & (decided == k)), len(groups))
            fp = _sum_by(codes, n * ((true != k) & (decided == k)), len(groups))
            fn = _sum_by(codes, n * ((true == k) & (decided != k)), len(groups))
            frames.append(
                pd.DataFrame(
                    {
                        "attribute": name,
                        "group": groups,
                        "class": pd.Series(
                            [None if positive else label] * len(groups), dtype=object
                        ),
                        "n": total,
                        "tp": tp,
                        "fp": fp,
                        "tn": total - tp - fp - fn,
                        "fn": fn,
                    }
                )
            )
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=COUNT_COLUMNS)


def predictions_to_counts(
    table: pd.DataFrame,
    *,
    attributes: Sequence[str],
    classes: Sequence[str],
    positive: str | None,
    max_order: int = 1,
    overall: bool = False,
) -> pd.DataFrame:
    """Return the confusion counts of a table with ``y_true`` and ``y_pred`` codes by group.

    See `cells_to_counts` for the parameters and the columns.
    """
    return cells_to_counts(
        predictions_to_cells(table, attributes=attributes),
        attributes=attributes,
        classes=classes,
        positive=positive,
        max_order=max_order,
        overall=overall,
    )


def counts_to_rates(counts: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Return the rates of every group with Wilson intervals, in long form.

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
    columns = {name: counts[name].to_numpy(np.float64) for name in ("tp", "fp", "tn", "fn")}
    above, below = (
        np.concatenate([sum(columns[name] for name in parts[side]) for parts in _RATES.values()])
        for side in (0, 1)
    )
    keys = {name: np.tile(counts[name].to_numpy(), len(_RATES)) for name in ("attribute", "group")}
    return [_shares(keys, np.repeat(list(_RATES), len(counts)), above, below, confidence)]


def _multiclass_rates(counts: pd.DataFrame, confidence: float) -> list[pd.DataFrame]:
    rows = counts.assign(actual=counts["tp"] + counts["fn"])
    rows["value"] = intervals.proportion(rows["tp"], rows["actual"])
    low, high = intervals.wilson(rows["tp"], rows["actual"], confidence=confidence)
    # MOVER for a mean of independent shares: squared distances to the ends add up.
    rows["below"], rows["above"] = (rows["value"] - low) ** 2, (high - rows["value"]) ** 2
    keys = ["attribute", "group"]
    by_group = rows.groupby(keys, sort=False)
    sums = by_group[["tp", "actual"]].sum().reset_index()
    classes = by_group.size().to_numpy()
    mean = by_group["value"].sum(min_count=1).to_numpy() / classes
    absent = by_group["actual"].min().to_numpy() == 0
    mean[absent] = np.nan
    half = [np.sqrt(by_group[side].sum().to_numpy()) / classes for side in ("below", "above")]
    balanced = sums[keys].assign(
        metric=names.BALANCED_ACCURACY,
        value=mean,
        low=np.clip(mean - half[0], 0, 1),
        high=np.clip(mean + half[1], 0, 1),
        n=sums["actual"],
    )
    labels = {key: sums[key].to_numpy() for key in keys}
    accuracy = _shares(labels, names.ACCURACY, sums["tp"], sums["actual"], confidence)
    return [accuracy, balanced]


def _shares(
    keys: Mapping[str, npt.ArrayLike],
    metric: npt.ArrayLike,
    successes: npt.ArrayLike,
    trials: npt.ArrayLike,
    confidence: float,
) -> pd.DataFrame:
    low, high = intervals.wilson(successes, trials, confidence=confidence)
    value = intervals.proportion(successes, trials)
    n = np.asarray(trials).astype(np.int64)
    return pd.DataFrame(
        {**keys, "metric": metric, "value": value, "low": low, "high": high, "n": n}
    )


def _sum_by(
    codes: npt.NDArray[np.int64], values: npt.NDArray[np.int64], groups: int
) -> npt.NDArray[np.int64]:
    # Sums of float64 are exact up to 2**53 rows.
    return np.bincount(codes, weights=values, minlength=groups).astype(np.int64)
