"""Many comparisons at once: the family, and Holm's correction over it.

One hypothesis is "all groups of this attribute have the same value of this metric". Its p is the
smallest over the pairs of groups times their number (Bonferroni); Holm's procedure goes over all
hypotheses of an audit. A rate and its complement (false negative and true positive rate) are one
hypothesis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from plumbline import names
from plumbline.audit.disparities import Gap
from plumbline.metrics import shares

_COMPLEMENT = {names.TNR: names.FPR, names.FNR: names.TPR}


def adjust(gaps: Sequence[Gap]) -> tuple[list[Gap], list[tuple[str, str]]]:
    """Return the gaps with ``p_holm``, and the family: the hypotheses as (attribute, metric)."""
    raw: dict[tuple[str, str], float] = {}
    for gap in gaps:
        if gap.p == gap.p:
            raw.setdefault(_hypothesis(gap), gap.p)
    adjusted = dict(zip(raw, shares.holm(list(raw.values())).tolist(), strict=True))
    return (
        [replace(gap, p_holm=adjusted.get(_hypothesis(gap), float("nan"))) for gap in gaps],
        list(raw),
    )


def _hypothesis(gap: Gap) -> tuple[str, str]:
    rate, slash, label = gap.metric.partition("/")
    return gap.attribute, f"{_COMPLEMENT.get(rate, rate)}{slash}{label}"
