"""Gaps: their size, their family, and how often they are found where there is none."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from plumbline import names
from plumbline.audit import disparities, pairs
from plumbline.metrics.groups import confusions, rates
from plumbline.metrics.groups.contingency import table_to_contingency
from plumbline.metrics.intervals import proportions, shares
from plumbline.metrics.intervals.resampling import Resampling
from tests.audit import tables


def rows_of(tp, n, confidence=0.95):
    value = np.array(tp) / np.array(n)
    low, high = shares.share_interval(tp, n, confidence=confidence)
    labels = np.array([chr(97 + i) for i in range(len(n))], dtype=object)
    return pairs.Rows(labels, value, low, high, np.asarray(n), np.asarray(n, dtype=float))


def counts_of(table, *, max_order=1, overall=False, **kind):
    return confusions.contingency_to_counts(
        table_to_contingency(table, **kind), max_order=max_order, overall=overall
    )


def gaps_of(predictions, confidence=0.95, max_order=1):
    counts = counts_of(
        predictions.table,
        attributes=predictions.attributes,
        classes=predictions.classes,
        positive=predictions.positive,
        max_order=max_order,
    )

    def estimate(level):
        return rates.counts_to_rates(counts, confidence=level)

    enough = estimate(confidence).dropna(subset=["value"])
    found = disparities.rates_to_gaps(
        estimate,
        enough[["attribute", "metric", "group"]],
        Resampling(confidence, replicates=4000, seed=0),
        each=confidence,
    )
    return {(gap.attribute, gap.metric, gap.comparison): gap for gap in found}


def test_gaps_equal_fairlearns_differences_and_ratios():
    from fairlearn import metrics as peer

    predictions = tables.people(selection=(0.3, 0.6))
    table = predictions.table
    gaps = gaps_of(predictions)
    for attribute in ("sex", "age"):
        frame = peer.MetricFrame(
            metrics={
                names.SELECTION_RATE: peer.selection_rate,
                names.TPR: peer.true_positive_rate,
                names.FPR: peer.false_positive_rate,
            },
            y_true=table["y_true"],
            y_pred=table["y_pred"],
            sensitive_features=table[attribute],
        )
        for metric in (names.SELECTION_RATE, names.TPR, names.FPR):
            difference = gaps[attribute, metric, "difference"].value
            assert difference == pytest.approx(frame.difference()[metric], abs=1e-12)
            ratio = gaps[attribute, metric, "ratio"].value
            assert ratio == pytest.approx(frame.ratio()[metric], abs=1e-12)


def test_two_groups_have_the_interval_of_their_difference():
    predictions = tables.people(selection=(0.3, 0.6))
    table = predictions.table
    gap = gaps_of(predictions)["sex", names.SELECTION_RATE, "difference"]
    counts = table.groupby("sex")["y_pred"].agg(["sum", "size"])
    ends = shares.difference_interval(
        tuple(counts.loc["male"]), tuple(counts.loc["female"]), confidence=0.95
    )
    assert (gap.lowest, gap.highest, gap.compared) == ("female", "male", 1)
    assert [gap.low, gap.high] == pytest.approx([float(end) for end in ends])


def test_three_groups_share_their_error_among_three_pairs():
    predictions = tables.people()
    gap = gaps_of(predictions)["age", names.SELECTION_RATE, "difference"]
    counts = predictions.table.groupby("age")["y_pred"].agg(["sum", "size"])
    ends = shares.difference_interval(
        tuple(counts.loc[gap.highest]), tuple(counts.loc[gap.lowest]), confidence=1 - 0.05 / 3
    )
    assert gap.compared == 3
    assert gap.low == pytest.approx(float(ends[0]))
    # Of the error 0.05 one side of one of three pairs has 0.05 / 6, the upper end what is left.
    ends = shares.difference_interval(
        tuple(counts.loc[gap.highest]), tuple(counts.loc[gap.lowest]), confidence=1 - 0.25 / 3
    )
    assert gap.high == pytest.approx(float(ends[1]))


def test_the_far_end_has_the_error_that_the_near_end_leaves():
    assert pairs.far_level(0.95, 1) == proportions.bonferroni(0.95, 1)
    for compared in (3, 10, 45):
        near = (1 - proportions.bonferroni(0.95, compared)) / 2
        far = (1 - pairs.far_level(0.95, compared)) / 2
        assert near + far == pytest.approx(0.05)
    assert 0 < pairs.far_level(0.3, 10) < 1e-5


@pytest.mark.parametrize(
    ("means", "held"),
    [([0, 0, 0, 0, 0], 0.96), ([0, 2, 4, 6, 20], 0.95), ([0, 5, 10, 15, 40], 0.95)],
)
def test_the_interval_of_a_range_holds_it_as_often_as_it_says(means, held):
    """Normal means of deviation 1: of equal ones Tukey's quantile, 3.86, is under Bonferroni's."""
    rng = np.random.default_rng(2)
    truth, compared = max(means) - min(means), 10
    found = 0
    for x in rng.normal(means, 1, size=(1500, 5)):
        both = []
        for level in (proportions.bonferroni(0.95, compared), pairs.far_level(0.95, compared)):
            # Half-widths that MOVER makes into those of a difference.
            half = proportions.critical_value(level)
            rows = rows_of(np.zeros(5), np.ones(5))
            rows = replace(rows, value=x, low=x - half, high=x + half)
            both.append(pairs.pairwise(rows, "difference"))
        low, high = pairs.range_interval(*both, "difference")
        found += low <= truth <= high
    assert found / 1500 == pytest.approx(held, abs=0.016)


def test_the_pair_that_tells_need_not_be_the_widest():
    """A group of 3 makes the widest gap and shows nothing; the two large ones do differ."""
    rows = rows_of([0, 300, 500], [3, 1000, 1000])
    found = pairs.pairwise(rows, "difference")
    assert list(zip(rows.groups[found.lowest], rows.groups[found.highest], strict=True)) == [
        ("a", "b"), ("a", "c"), ("b", "c"),
    ]  # fmt: skip
    assert found.value == pytest.approx([0.3, 0.5, 0.2])
    assert found.low[1] < 0 < found.low[2]
    columns = {"group": rows.groups, "value": rows.value, "low": rows.low, "high": rows.high}
    columns |= {"n": rows.n, "effective": rows.effective}
    table = pd.DataFrame({**columns, "attribute": "x", "metric": names.SELECTION_RATE})
    (gap, _) = disparities.rates_to_gaps(
        lambda _: table, table[["attribute", "metric", "group"]],
        Resampling(0.95, replicates=100, seed=0), each=0.95,
    )  # fmt: skip
    assert (gap.lowest, gap.highest, gap.telling) == ("a", "c", "b and c")


def test_ratio_difference_and_p_never_disagree():
    rng = np.random.default_rng(0)
    for _ in range(200):
        n = rng.integers(5, 200, size=3)
        rows = rows_of(rng.binomial(n, rng.uniform(0.05, 0.95, size=3)), n)
        shown = pairs.pairwise(rows, "difference").low > 0
        ratio = pairs.pairwise(rows, "ratio")
        defined = ~np.isnan(ratio.value)
        np.testing.assert_array_equal(shown[defined], ratio.high[defined] < 1)
        np.testing.assert_array_equal(shown, pairs.pair_p(rows, 0.95) < 0.05)


def test_groups_with_one_rate_are_rarely_told_apart():
    """Five groups of 60 with one rate: at most 5 % of audits may find a pair, 400 draws."""
    rng = np.random.default_rng(1)
    false = 0
    for _ in range(400):
        rows = rows_of(rng.binomial(60, 0.3, size=5), np.full(5, 60))
        false += pairs.pair_p(rows, 0.95).min() * 10 <= 0.05
    assert false / 400 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_the_interval_of_the_widest_gap_has_the_largest_ends_of_all_pairs():
    """By hand: the pair a, c is widest and wide open; b, c shows that there is a gap."""
    found = pairs.Pairs(
        np.array([0, 0, 1]), np.array([1, 2, 2]),
        np.array([0.3, 0.5, 0.2]), np.array([-0.4, -0.2, 0.15]), np.array([0.5, 0.8, 0.25]),
    )  # fmt: skip
    alone = replace(found, low=found.low + 0.01, high=found.high - 0.1)
    assert pairs.range_interval(found, alone, "difference") == pytest.approx((0.15, 0.7))
    ratios = pairs.Pairs(
        found.lowest, found.highest,
        np.array([0.5, 0.2, 0.6]), np.array([0.3, 0.1, 0.5]), np.array([1.4, 1.2, 0.8]),
    )  # fmt: skip
    alone = replace(ratios, low=ratios.low + 0.05, high=ratios.high - 0.1)
    assert pairs.range_interval(ratios, alone, "ratio") == pytest.approx((0.15, 0.8))
    nothing = pairs.Pairs(*[np.full(3, np.nan)] * 5)
    assert np.isnan(pairs.range_interval(nothing, nothing, "ratio")).all()


def test_the_gap_by_chance_is_the_quantile_of_equal_groups():
    """Two groups of n with one rate p differ by |normal| with deviation sqrt(2p(1-p)/n)."""
    predictions = tables.people(n=4000, selection=(0.5, 0.5))
    gap = gaps_of(predictions)["sex", names.SELECTION_RATE, "difference"]
    assert gap.by_chance == pytest.approx(1.96 * np.sqrt(2 * 0.25 / 2000), rel=0.06)
    assert np.isnan(gaps_of(predictions)["sex", names.SELECTION_RATE, "ratio"].by_chance)


def test_the_worst_gap_is_the_widest_of_the_main_metrics_by_one_attribute():
    def gap(attribute, metric, value, verdict, comparison="difference"):
        return {
            "attribute": attribute, "metric": metric, "comparison": comparison, "value": value,
            "verdict": verdict,
        }  # fmt: skip

    wide = gap("sex", names.TPR, 0.4, names.INCONCLUSIVE)
    shown = gap("age", names.SELECTION_RATE, 0.2, names.DIFFERENCE)
    others = [
        gap("sex×age", names.TPR, 0.9, names.DIFFERENCE),
        gap("sex", names.NPV, 0.8, names.DIFFERENCE),
        gap("sex", names.FPR, None, names.INSUFFICIENT),
        gap("sex", names.TPR, 0.9, names.DIFFERENCE, "ratio"),
    ]
    kind = names.CLASSIFICATION
    assert disparities.worst([wide, shown, *others], kind, binary=True) is shown
    assert disparities.worst([wide, *others], kind, binary=True) is wide
    assert disparities.worst(others, kind, binary=True) is None
    assert disparities.worst([wide, shown], kind, binary=False) is None
