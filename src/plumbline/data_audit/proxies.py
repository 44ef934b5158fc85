"""Proxy features for protected attributes: how well the features predict an attribute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names

Floats = npt.NDArray[np.float64]

TREES, LEAF, BAG = 60, 3, 800  # a tree sees at most so many rows, which bounds the cost
PERMUTATIONS = 1000


def find_proxy(
    vectors: Floats,
    groups: npt.NDArray[np.object_],
    *,
    attribute: str,
    folds: int,
    min_group_size: int,
    confidence: float,
    seed: int,
    entities: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return the cross-validated balanced accuracy of a forest that predicts an attribute.

    It is compared with that of the same predictions for a permuted attribute (permutation test).
    Groups with fewer than ``min_group_size`` rows are excluded.

    Parameters
    ----------
    vectors : array (N, D)
    groups : object array (N,)
    attribute : str
    folds, min_group_size, seed : int
    confidence : float
        The chance level is this quantile of the values under permutation.
    entities : sequence of str, optional
        Rows of one entity are in one fold, and are permuted together: each entity takes the
        groups of another one's rows, in turn.

    Returns
    -------
    dict
        ``attribute, value, chance_level, n, groups, verdict, reason``; value is None if there are
        too few rows.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_predict

    names_, codes = np.unique(groups.astype(str), return_inverse=True)
    sizes = np.bincount(codes, minlength=len(names_))
    large = sizes >= max(min_group_size, folds)
    kept = large[codes]
    units = np.asarray(entities, dtype=object)[kept] if entities is not None else None
    too_few = units is not None and len(set(units.tolist())) < folds
    if large.sum() < 2 or too_few:
        reason = f"fewer than two groups of {attribute} have enough rows"
        return _proxy(attribute, None, None, int(kept.sum()), 0, names.INSUFFICIENT, reason)
    x, y = vectors[kept], codes[kept]
    forest = RandomForestClassifier(
        TREES, min_samples_leaf=LEAF, class_weight="balanced", max_features="sqrt",
        max_samples=min(BAG, int(len(y) * (1 - 1 / folds))), random_state=seed, n_jobs=1,
    )  # fmt: skip
    split = (
        StratifiedKFold(folds, shuffle=True, random_state=seed)
        if units is None
        else GroupKFold(folds)
    )
    predicted = cross_val_predict(forest, x, y, cv=split, groups=units)
    value = balanced_accuracy(y, predicted)
    rng = np.random.default_rng(seed)
    permute = rng.permutation if units is None else _by_entity(units, rng)
    permuted = [balanced_accuracy(permute(y), predicted) for _ in range(PERMUTATIONS)]
    chance = float(np.quantile(permuted, confidence))
    predictable = value > chance
    reason = (
        f"the features predict {attribute} better than {100 * confidence:g} % of permutations"
        if predictable
        else f"{100 * (1 - confidence):g} % of permutations or more are predicted as well; the "
        f"features are not shown to predict {attribute}"
    )
    verdict = names.DIFFERENCE if predictable else names.INCONCLUSIVE
    return _proxy(attribute, value, chance, int(kept.sum()), int(large.sum()), verdict, reason)


def _by_entity(
    units: npt.NDArray[np.object_], rng: np.random.Generator
) -> Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int64]]:
    """Return a permutation of whole entities: each takes another's values, repeated or cut.

    Rows of an entity are correlated: permuting single rows would set the chance level too low.
    """
    unit = np.unique(units.astype(str), return_inverse=True)[1]
    order = np.argsort(unit, kind="stable")
    size = np.bincount(unit)
    start = np.cumsum(size) - size
    place = np.empty(len(unit), dtype=np.int64)  # of each row within its entity
    place[order] = np.arange(len(unit)) - start[unit[order]]

    def permute(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        source = rng.permutation(len(size))[unit]
        return values[order[start[source] + place % size[source]]]

    return permute


def balanced_accuracy(truth: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]) -> float:
    """Return the mean recall of the classes that occur, in [0, 1]."""
    size = int(max(truth.max(), predicted.max())) + 1
    actual = np.bincount(truth, minlength=size)
    right = np.bincount(truth[truth == predicted], minlength=size)
    return float((right[actual > 0] / actual[actual > 0]).mean())


def strongest_features(
    vectors: Floats, columns: Sequence[str], groups: npt.NDArray[np.object_], *, count: int
) -> list[dict[str, Any]]:
    """Return the features that differ most between groups, by the share of variance explained.

    The share (eta squared: between-group over total sum of squares) is in [0, 1].
    """
    _, codes = np.unique(groups.astype(str), return_inverse=True)
    frame = pd.DataFrame(vectors)
    means = frame.groupby(codes).transform("mean")
    total = ((frame - frame.mean()) ** 2).sum()
    between = ((means - frame.mean()) ** 2).sum()
    share = (between / total.where(total > 0)).fillna(0.0).to_numpy()
    order = np.argsort(-share, kind="stable")[:count]
    return [{"feature": columns[i], "explained": float(share[i])} for i in order]


def _proxy(
    attribute: str, value: float | None, chance_level: float | None, n: int, groups: int,
    verdict: str, reason: str,
) -> dict[str, Any]:  # fmt: skip
    return {
        "attribute": attribute,
        "metric": names.BALANCED_ACCURACY,
        "value": value,
        "chance_level": chance_level,
        "n": n,
        "groups": groups,
        "verdict": verdict,
        "reason": reason,
    }
