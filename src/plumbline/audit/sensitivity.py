"""Sensitivity of an audit: the smallest gap that can be detected in each group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from plumbline import names
from plumbline.metrics.intervals import power

POWER = 0.8
_COMPLEMENTS = (names.TNR, names.FNR)


def statistics_to_detectable(rows: pd.DataFrame, *, confidence: float) -> list[dict[str, Any]]:
    """Return the smallest detectable gap between a group's share and that of everyone else.

    Parameters
    ----------
    rows : DataFrame
        ``attribute, group, metric, value, n, effective``, with those of `names.OVERALL`. Groups
        too small to be compared are included.
    confidence : float
        Of one comparison with everyone else; among many comparisons a gap must be wider.

    Returns
    -------
    list of dict
        ``attribute, group, metric, n, others, below, above``: the share of everyone else, and the
        gaps that are found with probability `POWER`; None where even the widest is not.
    """
    shares = rows[rows["metric"].isin(names.GROUP_RATES) & ~rows["metric"].isin(_COMPLEMENTS)]
    whole = shares[shares["attribute"] == names.OVERALL].set_index("metric")
    own = shares[(shares["attribute"] != names.OVERALL) & (shares["effective"] > 0)]
    own = own[own["metric"].isin(whole.index)]
    everyone = whole.loc[own["metric"]]
    size, hits = own["effective"].to_numpy(), (own["value"] * own["effective"]).to_numpy()
    all_size = everyone["effective"].to_numpy()
    other_size = all_size - size
    keep = other_size >= 1
    own, size, hits, other_size = own[keep], size[keep], hits[keep], other_size[keep]
    all_hits = (everyone["value"] * everyone["effective"]).to_numpy()[keep]
    if own.empty:
        return []
    other_hits = np.clip(all_hits - hits, 0, other_size)
    below, above = power.detectable_gap(
        np.maximum(np.round(size), 1), other_hits, other_size, confidence=confidence, power=POWER
    )
    return [
        {
            "attribute": attribute,
            "group": group,
            "metric": metric,
            "n": int(n),
            "others": float(share),
            "below": None if np.isnan(down) else float(down),
            "above": None if np.isnan(up) else float(up),
        }
        for attribute, group, metric, n, share, down, up in zip(
            own["attribute"],
            own["group"],
            own["metric"],
            own["n"],
            other_hits / other_size,
            below,
            above,
            strict=True,
        )
    ]
