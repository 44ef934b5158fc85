"""The smallest gap that would have been shown, at the level that the verdict uses."""

from statistics import NormalDist

import numpy as np
import pytest

from plumbline import names
from plumbline.audit.build import predictions_to_audit
from plumbline.audit.options import AuditOptions
from plumbline.audit.planning.plan import audit_to_plan
from plumbline.metrics.intervals import power, proportions, shares
from tests.audit import tables


def audited(predictions, **changes):
    return predictions_to_audit(predictions, AuditOptions(**{**tables.OPTIONS, **changes}))


def gaps_of(audit):
    return {(g["attribute"], g["metric"], g["comparison"]): g for g in audit["gaps"]}


def test_the_level_is_that_of_the_whole_family_and_of_all_pairs():
    predictions = tables.people()
    audit = audited(predictions)
    gaps, family = gaps_of(audit), len(audit["family"])
    counts = predictions.table.groupby("age")["y_pred"].agg(["sum", "size"])
    gap = gaps["age", names.SELECTION_RATE, "difference"]
    sides = [
        tuple(np.array([part]) for part in counts.loc[gap[end]]) for end in ("lowest", "highest")
    ]
    (wanted,), (lower,) = power.detectable_difference(
        *sides, confidence=proportions.bonferroni(0.95, 3 * family), power=0.8
    )
    assert family > 20
    assert gap["detectable"] == pytest.approx(wanted)
    ratio = gaps["age", names.SELECTION_RATE, "ratio"]["detectable"]
    assert ratio == pytest.approx(lower / (lower + wanted))
    # One comparison alone would show less than two thirds of it.
    (alone,), _ = power.detectable_difference(*sides, confidence=0.95, power=0.8)
    assert alone < 0.67 * wanted


def test_a_rate_and_its_complement_have_one_detectable_gap():
    gaps = gaps_of(audited(tables.people()))
    for rate, other in ((names.TPR, names.FNR), (names.FPR, names.TNR)):
        one, two = (gaps["sex", metric, "difference"]["detectable"] for metric in (rate, other))
        assert one == pytest.approx(two, rel=0.02)


def test_the_verdict_is_a_difference_in_80_percent_of_samples_with_the_printed_gap():
    """400 audits of 8 hypotheses: 80 %, three standard errors (6 points)."""
    rng, sizes = np.random.default_rng(1), np.array([150, 450])
    level = proportions.bonferroni(0.95, 8)
    (gap,), (lower,) = power.detectable_difference(
        ([45], [150]), ([135], [450]), confidence=level, power=0.8
    )
    found = 0
    for k in rng.binomial(sizes, [lower, lower + gap], size=(400, 2)):
        low, _ = shares.difference_interval((k[1], 450), (k[0], 150), confidence=level)
        found += low > 0
    assert found / 400 == pytest.approx(0.8, abs=0.06)


def test_means_have_the_normal_gap_of_their_standard_error():
    predictions = tables.numbers(n=4000)
    audit = audited(predictions, max_order=1)
    residual = predictions.table["y_pred"] - predictions.table["y_true"]
    spread = residual.groupby(predictions.table["sex"]).sem()
    level = proportions.bonferroni(0.95, len(audit["family"]))
    z = proportions.critical_value(level) + NormalDist().inv_cdf(0.8)
    gap = gaps_of(audit)["sex", names.MEAN_RESIDUAL, "difference"]
    assert gap["detectable"] == pytest.approx(z * np.hypot(*spread), rel=0.02)
    assert gap["margin"] is None  # in units of the data: their owner knows what is little


def test_too_few_rows_show_no_gap_however_wide():
    """Four rows a group: not even none against all is shown at the level of the family."""
    predictions = tables.people(n=8)
    predictions.table["sex"] = ["female", "male"] * 4
    audit = audited(predictions, min_group_size=1, max_order=1)
    gap = gaps_of(audit)["sex", names.SELECTION_RATE, "difference"]
    assert gap["verdict"] == names.INCONCLUSIVE
    assert gap["detectable"] is None
    assert "these data are too few to show any difference between" in gap["reason"]


def test_a_ratio_that_only_a_rate_of_0_shows_is_not_called_detectable():
    """1 and 0 of 60 and 40: the lower rate is 0 and the ratio with it, and that is not shown."""
    predictions = tables.people(n=100)
    table = predictions.table
    table["sex"], table["y_pred"] = ["female"] * 40 + ["male"] * 60, [0] * 99 + [1]
    gaps = gaps_of(audited(predictions, max_order=1))
    gap = gaps["sex", names.SELECTION_RATE, "ratio"]
    assert (gap["value"], gap["verdict"]) == (0, names.INCONCLUSIVE)
    assert gap["detectable"] is None
    assert (
        "no ratio between female and male would have been shown in 80 % of samples at their "
        "overall level" in gap["reason"]
    )
    assert gaps["sex", names.SELECTION_RATE, "difference"]["detectable"] > 0


def test_a_ratio_of_errors_is_detectable_only_where_the_lower_one_is_above_0():
    for n, found in ((6, False), (600, True)):
        audit = audited(tables.numbers(n=n), min_group_size=1, max_order=1)
        gaps = gaps_of(audit)
        ratio = gaps["sex", names.RMSE, "ratio"]["detectable"]
        assert gaps["sex", names.RMSE, "difference"]["detectable"] > 0
        assert 0 < ratio < 1 if found else ratio is None


def test_values_without_a_spread_have_no_detectable_gap():
    """All residuals are 1: that the interval has no width does not show every difference."""
    numbers = tables.numbers(n=400)
    numbers.table["y_true"] = np.arange(400) % 7
    numbers.table["y_pred"] = numbers.table["y_true"] + 1
    audit = audited(numbers)
    assert len(audit["gaps"]) > 2
    errors = [gap for gap in audit["gaps"] if gap["metric"] != names.MEAN_PREDICTION]
    assert {gap["detectable"] for gap in errors} == {None}
    assert audit_to_plan(audit) == []
