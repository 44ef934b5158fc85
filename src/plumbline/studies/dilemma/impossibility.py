"""Equal predictive values and equal error rates are incompatible where base rates differ.

In every group with base rate p, false positive rate = p / (1 - p) · (1 - PPV) / PPV · (1 - FNR)
(A. Chouldechova, "Fair prediction with disparate impact", Big Data 5 (2017) 153-163, equation 2.6).
Groups with one PPV and one FNR but two base rates therefore have two false positive rates. For
scores calibrated by group see J. Kleinberg, S. Mullainathan and M. Raghavan, "Inherent trade-offs
in the fair determination of risk scores", ITCS 2017.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline.metrics.groups.contingency import ContingencyTable
from plumbline.metrics.groups.replicates import replicate_confusions
from plumbline.metrics.intervals import proportions
from plumbline.metrics.intervals.resampling import Resampling
from plumbline.metrics.intervals.shares import CELLS

Floats = npt.NDArray[np.float64]


def implied_fpr(base_rate: npt.ArrayLike, ppv: npt.ArrayLike, fnr: npt.ArrayLike) -> Floats:
    """Return the false positive rate that a base rate, PPV and FNR leave no choice about."""
    p, v, w = (np.asarray(a, dtype=np.float64) for a in (base_rate, ppv, fnr))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = p / (1 - p) * (1 - v) / v * (1 - w)
    return found


def implied_ppv(base_rate: npt.ArrayLike, fpr: npt.ArrayLike, fnr: npt.ArrayLike) -> Floats:
    """Return the PPV that a base rate and both error rates leave no choice about (Bayes)."""
    p, f, w = (np.asarray(a, dtype=np.float64) for a in (base_rate, fpr, fnr))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = p * (1 - w) / (p * (1 - w) + (1 - p) * f)
    return found


def impossibility_table(
    counts: Sequence[Mapping[str, Any]],
    attribute: str,
    options: Resampling,
    *,
    contingency: ContingencyTable | None = None,
) -> dict[str, Any] | None:
    """Return what equal predictive values, and equal error rates, would force on the groups.

    Parameters
    ----------
    counts : sequence of mapping
        ``attribute, group, n, tp, fp, tn, fn`` of a binary decision.
    attribute : str
        Groups with rows of both classes are held side by side.
    options : Resampling
        Of the percentile bootstrap of the gaps; counts are drawn within groups.
    contingency : ContingencyTable, optional
        Weighted rows or entities that the counts are of: rates are then those of summed weights,
        and entities, or rows of all groups together, are drawn.

    Returns
    -------
    dict or None
        ``common``: PPV, FNR and FPR of the groups together, which the what-ifs give to each group.
        ``rows``: measured rates; ``identity_error``, by how much the identity misses the measured
        rate (rounding alone); ``fpr_if_equal``, with the common PPV and FNR; ``ppv_if_equal``, with
        the common error rates. ``gaps``: base rate, forced FPR and forced PPV of the group with
        the highest base rate minus that with the lowest, each ``{value, low, high}``; the pair is
        chosen by these data, so with many groups the interval is a little too narrow. An end is
        infinite where draws of a group so small that it may lack a class reach it. None where
        fewer than two groups have rows of both classes, or nobody is selected or everybody.
    """
    chosen = [
        row
        for row in counts
        if row["attribute"] == attribute and row["tp"] + row["fn"] and row["fp"] + row["tn"]
    ]
    cells = np.array([[row[k] for k in CELLS] for row in chosen], dtype=float).reshape(-1, 4)
    draws = None
    if contingency is not None:
        labels, sums, many = replicate_confusions(
            contingency, (attribute,), replicates=options.replicates, seed=options.seed
        )
        weighed = {label: k for k, label in enumerate(labels) if _both_classes(sums[k])}
        chosen = [row for row in chosen if row["group"] in weighed]
        places = [weighed[row["group"]] for row in chosen]
        cells, draws = sums[places], many[:, places]
    if len(chosen) < 2 or not cells[:, 0].sum() or not cells[:, 2].sum():
        return None
    draws = _draws(cells, options.replicates, options.seed) if draws is None else draws
    measured, common, forced = _rates(cells), _rates(cells.sum(axis=0)), _forced(cells)
    drawn = _forced(draws)
    back = implied_fpr(measured["base_rate"], measured["ppv"], measured["fnr"])
    rows = [
        {
            "group": row["group"],
            "n": int(row["n"]),
            **{name: float(value[k]) for name, value in measured.items()},
            "identity_error": float(abs(back[k] - measured["fpr"][k])),
            "fpr_if_equal": float(forced["fpr"][k]),
            "ppv_if_equal": float(forced["ppv"][k]),
        }
        for k, row in enumerate(chosen)
    ]
    most, least = (int(pick(measured["base_rate"])) for pick in (np.argmax, np.argmin))
    gaps = {}
    for name, value in forced.items():
        # A drawn group without rows of one class is forced to a rate without bound; where both
        # groups are, their gap is undefined.
        with np.errstate(invalid="ignore"):
            gap = drawn[name][:, most] - drawn[name][:, least]
        low, high = proportions.percentile(gap, confidence=options.confidence)
        gaps[name] = {"value": float(value[most] - value[least]), "low": low, "high": high}
    return {
        "attribute": attribute,
        "common": {name: float(value) for name, value in common.items()},
        "rows": rows,
        "highest": chosen[most]["group"],
        "lowest": chosen[least]["group"],
        "gaps": gaps,
    }


def _both_classes(cells: Floats) -> bool:
    tp, fp, tn, fn = cells
    return bool(tp + fn > 0 and fp + tn > 0)


def _draws(cells: Floats, replicates: int, seed: int) -> Floats:
    """Return replicates ``(R, G, 4)`` of counts, each group's drawn by itself."""
    drawn = [
        proportions.resample_counts(own, replicates=replicates, seed=seed + k)
        for k, own in enumerate(cells)
    ]
    return np.stack(drawn, axis=1).astype(np.float64)


def _rates(cells: Floats) -> dict[str, Floats]:
    tp, fp, tn, fn = np.moveaxis(cells, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "base_rate": (tp + fn) / (tp + fp + tn + fn),
            "ppv": tp / (tp + fp),
            "fnr": fn / (tp + fn),
            "fpr": fp / (fp + tn),
        }


def _forced(cells: Floats) -> dict[str, Floats]:
    """Return base rates ``(..., G)`` and the FPR and PPV that common other rates force on them."""
    own, common = _rates(cells), _rates(cells.sum(axis=-2))
    ppv, fnr, fpr = (common[name][..., None] for name in ("ppv", "fnr", "fpr"))
    return {
        "base_rate": own["base_rate"],
        "fpr": implied_fpr(own["base_rate"], ppv, fnr),
        "ppv": implied_ppv(own["base_rate"], fpr, fnr),
    }
