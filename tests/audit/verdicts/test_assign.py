"""What follows from an interval, a margin and equality."""

import numpy as np
import pandas as pd
import pytest

from plumbline import names
from plumbline.audit.build import predictions_to_audit
from plumbline.audit.options import AuditOptions
from plumbline.audit.verdicts import assign
from plumbline.errors import MetricError
from tests.audit import tables


def audited(predictions, **changes):
    return predictions_to_audit(predictions, AuditOptions(**{**tables.OPTIONS, **changes}))


def labelled(groups):
    """Return predictions with so many true and false positives-labels: name, positives, hits."""
    rows = [
        (name, 1, int(i < hits)) for name, positives, hits in groups for i in range(positives)
    ] + [(name, 0, i % 2) for name, _, _ in groups for i in range(30)]
    table = pd.DataFrame(rows, columns=["sex", "y_true", "y_pred"])
    table["sample_id"], table["split"] = np.arange(len(table)).astype(str), names.TEST
    return tables.classified(table, attributes=("sex",))


def gap_of(audit, metric, comparison):
    (found,) = [g for g in audit["gaps"] if (g["metric"], g["comparison"]) == (metric, comparison)]
    return found


def test_three_positives_pass_no_ratio_of_four_fifths():
    """TPR 3 of 3 and 900 of 1,000: too few to compare; if compared, far from settled."""
    predictions = labelled([("few", 3, 3), ("many", 1000, 900)])
    ratio = gap_of(audited(predictions), names.TPR, "ratio")
    assert ratio["verdict"] == names.INSUFFICIENT
    assert ratio["reason"].endswith("1 group excluded: few (3 positives, under 10).")
    compared = audited(predictions, min_group_size=1)
    ratio, gap = (gap_of(compared, names.TPR, kind) for kind in ("ratio", "difference"))
    assert ratio["value"] == pytest.approx(0.9)
    assert (ratio["verdict"], ratio["high"]) == (names.INCONCLUSIVE, 1.0)
    assert ratio["low"] < 0.4
    assert (gap["verdict"], gap["low"]) == (names.INCONCLUSIVE, 0.0)
    assert gap["high"] > 0.7


def test_nine_positives_settle_nothing():
    """TPR .431 apart from 9 positives: inconclusive, however calm it looks."""
    predictions = labelled([("few", 9, 4), ("many", 80, 70)])
    gap = gap_of(audited(predictions, min_group_size=5), names.TPR, "difference")
    assert gap["value"] == pytest.approx(70 / 80 - 4 / 9)
    assert gap["verdict"] == names.INCONCLUSIVE
    assert gap["high"] > 0.8
    assert gap["detectable"] > gap["value"]


@pytest.mark.parametrize("comparison", ["difference", "ratio"])
def test_a_pair_has_the_verdict_of_its_own_interval(comparison):
    predictions = labelled([("a", 4000, 2000), ("b", 4000, 2010), ("c", 4000, 3000)])
    audit = audited(predictions, pairs=True)
    found = {
        frozenset((p["group"], p["other"])): p
        for p in audit["pairs"]
        if (p["metric"], p["comparison"]) == (names.TPR, comparison)
    }
    assert [found[frozenset(pair)]["verdict"] for pair in ("ab", "ac", "bc")] == [
        names.EQUIVALENT, names.DIFFERENCE, names.DIFFERENCE,
    ]  # fmt: skip
    assert found[frozenset("ab")]["within_margin"] is True
    for pair in found.values():
        equality = int(comparison == "ratio")
        excludes = not pair["low"] <= equality <= pair["high"]
        assert excludes == (pair["p_adjusted"] < 0.05) == (pair["verdict"] == names.DIFFERENCE)


def test_more_pairs_than_can_be_listed_are_refused_before_they_are_compared(monkeypatch):
    """A reference group leaves fewer of them; an audit that lists none has no limit."""
    options = {"pairs": True, "max_order": 1}
    every = len(audited(tables.people(), **options)["pairs"])
    monkeypatch.setattr(assign, "MOST_PAIRS", every)
    assert len(audited(tables.people(), **options)["pairs"]) == every
    monkeypatch.setattr(assign, "MOST_PAIRS", every - 1)
    with pytest.raises(MetricError, match=rf"at most {every - 1} .* got {every}; .*--reference"):
        audited(tables.people(), **options)
    with_reference = audited(tables.people(), **options, reference={"age": "60+"})
    monkeypatch.setattr(assign, "MOST_PAIRS", len(with_reference["pairs"]))
    audited(tables.people(), **options, reference={"age": "60+"})
    audited(tables.people(), max_order=1)
