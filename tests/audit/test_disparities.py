"""Gaps: their size, their family, and how often they are found where there is none."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from plumbline import names
from plumbline.audit import disparities, pairs
from plumbline.audit.options import AuditOptions
from plumbline.metrics.groups import confusions, rates
from plumbline.metrics.groups.contingency import table_to_contingency
from plumbline.metrics.intervals import proportions, shares
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


def gaps_of(predictions, confidence=0.95, max_order=1, **options):
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
        AuditOptions(confidence, 1, 0, min_group_size=1, **options),
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
    assert ends[0] > 0
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
    assert gap.low == pytest.approx(max(float(ends[0]), 0))
    # Of the error 0.05 one side of one of three pairs has 0.05 / 6, the upper end what is left.
    ends = [
        shares.difference_interval(
            tuple(counts.loc[a]), tuple(counts.loc[b]), confidence=1 - 0.25 / 3
        )[1]
        for a in counts.index
        for b in counts.index
        if a != b
    ]
    assert gap.high == pytest.approx(float(max(ends)))


def test_three_positives_do_not_settle_a_true_positive_rate():
    """3 of 3 against 900 of 1,000: the rate of the three may be .32, .58 below the others'."""
    rows = rows_of([3, 900], [3, 1000])
    assert rows.low[0] == pytest.approx((0.025 / 0.75) ** (1 / 3))  # of P(3 of 3) three quarters
    both = pairs.pairwise(rows, "difference")
    assert (both.low[0], both.high[0]) == pytest.approx((0.1 - 0.68, 0.12), abs=0.005)
    low, high = pairs.range_interval(both, both, "difference")
    assert (low, high) == pytest.approx((0.0, -both.low[0]))
    ratio = pairs.pairwise(rows, "ratio")
    low, high = pairs.range_interval(ratio, ratio, "ratio")
    assert (low, high) == pytest.approx((1 / ratio.high[0], 1.0))
    assert low < 0.4  # so that a rule "ratio of at least 0.8, with its interval" fails


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("sizes", "truth"),
    [([5, 3000], [0.5, 0.8]), ([12, 1000], [0.6, 0.8]), ([20, 5000], [0.1, 0.3]),
     ([50, 1000], [0.1, 0.3]), ([50, 1000, 1000], [0.3, 0.5, 0.5]),
     ([20, 5000, 20, 5000], [0.2, 0.3, 0.4, 0.5])],
)  # fmt: skip
def test_unequal_groups_keep_the_confidence_of_the_widest_gap(sizes, truth):
    """1,000 tables: .95, three standard errors and the steps of small counts."""
    rng, sizes = np.random.default_rng(5), np.array(sizes)
    compared = len(sizes) * (len(sizes) - 1) // 2
    levels = proportions.bonferroni(0.95, compared), pairs.far_level(0.95, compared)
    wanted = {
        "difference": max(truth) - min(truth),
        "ratio": min(truth) / max(truth),
    }
    held = dict.fromkeys(wanted, 0)
    for hits in rng.binomial(sizes, truth, size=(1000, len(sizes))):
        found = [rows_of(hits, sizes, level) for level in levels]
        for comparison, value in wanted.items():
            low, high = pairs.range_interval(
                *(pairs.pairwise(rows, comparison) for rows in found), comparison
            )
            held[comparison] += low <= value <= high
    assert min(held.values()) / 1000 >= 0.93


def test_a_reference_group_is_compared_with_each_other_one():
    """Two pairs of three groups; of the others nothing is said."""
    rows = replace(rows_of([300, 500, 900], [1000, 1000, 1000]), reference=1)
    found = pairs.pairwise(rows, "difference")
    assert list(zip(found.lowest, found.highest, strict=True)) == [(0, 1), (1, 2)]
    gap = gaps_of(tables.people(), reference={"age": "60+"})["age", names.TPR, "difference"]
    assert (gap.compared, "60+" in (gap.lowest, gap.highest)) == (2, True)


def test_every_pair_is_listed_with_the_interval_of_its_two_groups():
    predictions = tables.people()
    every = gaps_of(predictions, pairs=True)["age", names.SELECTION_RATE, "difference"]
    assert len(every.each) == 3
    assert max(pair["value"] for pair in every.each) == every.value
    counts = predictions.table.groupby("age")["y_pred"].agg(["sum", "size"])
    one = gaps_of(predictions, pairs=True, reference="<40")
    for pair in one["age", names.SELECTION_RATE, "difference"].each:
        assert pair["other"] == "<40"
        ends = shares.difference_interval(
            tuple(counts.loc[pair["group"]]), tuple(counts.loc["<40"]), confidence=0.975
        )
        assert [pair["low"], pair["high"]] == pytest.approx([float(end) for end in ends])
    rate = counts["sum"] / counts["size"]
    for pair in one["age", names.SELECTION_RATE, "ratio"].each:
        assert pair["value"] == pytest.approx(rate[pair["group"]] / rate["<40"])
        assert pair["low"] < pair["value"] < pair["high"]


def test_the_far_end_has_the_error_that_the_near_end_leaves():
    assert pairs.far_level(0.95, 1) == proportions.bonferroni(0.95, 1)
    for compared in (3, 10, 45):
        near = (1 - proportions.bonferroni(0.95, compared)) / 2
        far = (1 - pairs.far_level(0.95, compared)) / 2
        assert near + far == pytest.approx(0.05)
    assert 0 < pairs.far_level(0.3, 10) < 1e-5


@pytest.mark.no_cover
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
        AuditOptions(0.95, 1, 0, min_group_size=1), each=0.95,
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
    # The sample may have the two groups the wrong way round: -0.9 and 1 / 10 are farther away.
    alone = replace(found, low=np.array([-0.9, -0.2, 0.1]), high=found.high - 0.1)
    assert pairs.range_interval(found, alone, "difference") == pytest.approx((0.15, 0.9))
    alone = replace(ratios, low=ratios.low + 0.05, high=np.array([10.0, 1.2, 0.8]))
    assert pairs.range_interval(ratios, alone, "ratio") == pytest.approx((0.1, 0.8))
    # Where no pair differs, equality is the near end.
    few = replace(found, low=found.low - 0.2)
    assert pairs.range_interval(few, few, "difference") == pytest.approx((0.0, 0.8))
    few = replace(ratios, high=ratios.high + 0.3)
    assert pairs.range_interval(few, few, "ratio") == pytest.approx((0.1, 1.0))
    nothing = pairs.Pairs(*[np.full(3, np.nan)] * 5)
    assert np.isnan(pairs.range_interval(nothing, nothing, "ratio")).all()


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
