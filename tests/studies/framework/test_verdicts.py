"""Verdicts: intervals and Holm by hand and by scipy, the A/A control, a false claim."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from plumbline.studies.framework.claims import Claim, Difference, Slope, Value
from plumbline.studies.framework.verdicts import holm_levels, judge

FIRST, SECOND = {"net": "a"}, {"net": "b"}


def rows(first, second):
    """One row per setting and seed; NaN where a value lacks."""
    parts = [("a", first), ("b", second)]
    data = [(net, seed, value) for net, values in parts for seed, value in enumerate(values)]
    return pd.DataFrame(data, columns=["net", "seed", "loss"])


def claim(direction="more", relevant=0.5, contrast=None, **more):
    contrast = contrast or Difference("loss", FIRST, SECOND)
    return Claim("id", "E13", "It is so.", contrast, direction, relevant, **more)


def one(found, table, confidence=0.95):
    (verdict,) = judge([(found, table)], confidence=confidence)
    return verdict


# Differences 1, 2, 3, 6: mean 3, s = sqrt(14/3), error sqrt(14/12), t(3, 0.975) = 3.182446.
TABLE = rows([2, 4, 6, 10], [1, 2, 3, 4])
HALF = 3.182446 * (14 / 12) ** 0.5


def test_the_interval_of_a_difference_is_that_of_the_paired_t_test():
    found = one(claim(relevant=0.0), TABLE)
    assert found["estimate"] == 3
    assert (found["low"], found["high"]) == pytest.approx((3 - HALF, 3 + HALF), abs=1e-6)
    expected = stats.ttest_rel([2, 4, 6, 10], [1, 2, 3, 4])
    assert found["p"] == pytest.approx(expected.pvalue, rel=1e-9)
    ends = expected.confidence_interval(0.95)
    assert (found["low"], found["high"]) == pytest.approx((ends.low, ends.high), rel=1e-9)
    assert (found["seeds"], found["missing"], found["level"]) == (4, 0, pytest.approx(0.05))


@pytest.mark.parametrize(
    ("direction", "relevant", "verdict"),
    [  # the interval is -0.44 to 6.44
        ("more", 0.0, "undecided"),
        ("more", 6.5, "refuted"),
        ("less", 0.0, "undecided"),
        ("less", 0.5, "refuted"),  # nothing below -0.5
        ("equal", 0.5, "undecided"),
        ("equal", 7.0, "supported"),
    ],
)
def test_a_verdict_follows_from_the_interval_and_the_claimed_region(direction, relevant, verdict):
    assert one(claim(direction, relevant), TABLE)["verdict"] == verdict


@pytest.mark.parametrize(
    ("direction", "relevant", "verdict"),
    [("more", 0.5, "supported"), ("less", 0.5, "refuted"), ("equal", 0.5, "refuted"),
     ("equal", 2.5, "supported"), ("more", 1.0, "undecided")],
)  # fmt: skip
def test_an_interval_of_one_sign_decides(direction, relevant, verdict):
    table = rows([2.0, 2.1, 1.9, 2.0, 2.0], [1, 1, 1, 1, 1])  # 1 ± 0.088
    assert one(claim(direction, relevant), table)["verdict"] == verdict


def test_the_p_of_each_direction_is_that_of_scipys_one_sided_tests():
    first, second = np.array([2, 4, 6, 10.0]), np.array([1, 2, 3, 4.0])
    away = first - second
    for relevant in (0.3, 2.0, 5.0):
        greater = stats.ttest_1samp(away, relevant, alternative="greater").pvalue
        less = stats.ttest_1samp(away, relevant, alternative="less").pvalue
        got = one(claim("more", relevant), TABLE)["p"]
        assert got == pytest.approx(min(1, 2 * min(greater, less)), rel=1e-9)
        above = stats.ttest_1samp(away, -relevant, alternative="greater").pvalue
        tost = max(above, less)  # equivalence: two one-sided tests
        outside = min(greater, stats.ttest_1samp(away, -relevant, alternative="less").pvalue)
        got = one(claim("equal", relevant), TABLE)["p"]
        assert got == pytest.approx(min(1, 2 * min(tost, outside)), rel=1e-9)


# Holm ---------------------------------------------------------------------------------------------


def test_levels_are_the_steps_of_holm_up_to_the_first_that_is_not_rejected():
    # Of four at 0.05: 0.05/4, 0.05/3, then 0.03 > 0.05/2 stops it; the last shares that level.
    levels = holm_levels([0.03, 0.001, 0.04, np.nan, 0.015], 0.05)
    np.testing.assert_allclose(levels, [0.025, 0.0125, 0.025, np.nan, 0.05 / 3])
    assert holm_levels([np.nan], 0.05).tolist() == pytest.approx([np.nan], nan_ok=True)


def test_verdicts_of_many_claims_follow_holm_and_their_own_intervals():
    rng = np.random.default_rng(5)
    tables = [rows(rng.normal(mu, 1, 8), np.zeros(8)) for mu in (0, 0.9, 1.0, 1.1, 2, 4)]
    found = judge([(claim(relevant=0.2), table) for table in tables], confidence=0.95)
    p = [each["p"] for each in found]
    m, reject, going = len(p), {}, True
    for step, index in enumerate(np.argsort(p)):  # Holm as a textbook writes it
        going = going and p[index] <= 0.05 / (m - step)
        reject[index] = going
    assert [each["verdict"] != "undecided" for each in found] == [reject[i] for i in range(m)]
    assert {each["verdict"] for each in found} == {"supported", "undecided"}
    for each in found:
        assert (each["low"] > 0.2) == (each["verdict"] == "supported")


def test_more_claims_widen_an_interval():
    alone = one(claim(), TABLE)
    (first, _) = judge([(claim(), TABLE), (claim(), TABLE)], confidence=0.95)
    assert first["low"] < alone["low"]
    assert first["level"] == pytest.approx(0.025)


# Simulation ---------------------------------------------------------------------------------------


def winners(draw, *, claims=1, method="t", repetitions=200):
    """How often two equal settings give a winner on either side in any claim."""
    count = 0
    for repetition in range(repetitions):
        rng = np.random.default_rng([7, repetition])
        table = rows(draw(rng), draw(rng))
        pairs = [
            (claim("more", 0.01, Difference("loss", *sides), method=method), table)
            for sides in ((FIRST, SECOND), (SECOND, FIRST))[:claims]
        ]
        count += any(each["verdict"] == "supported" for each in judge(pairs, confidence=0.95))
    return count


@pytest.mark.parametrize("method", ["t", "bootstrap"])
def test_equal_settings_give_a_winner_in_at_most_5_percent_of_200_repetitions(method):
    assert winners(lambda rng: rng.normal(0.9, 0.05, 16), claims=2, method=method) <= 10


def test_the_same_of_accuracies_on_few_rows_which_are_discrete():
    assert winners(lambda rng: rng.binomial(30, 0.9, 16) / 30, claims=2) <= 10


def test_an_effect_as_large_as_claimed_is_found_and_one_that_is_absent_is_refuted():
    verdicts = []
    for repetition in range(200):
        rng = np.random.default_rng([8, repetition])
        base = rng.normal(0, 1, 16)  # of the seed; the pairing takes it out
        table = rows(base + rng.normal(0.3, 0.1, 16), base)
        true, false = claim("more", 0.1), claim("less", 0.1)
        pairs = judge([(true, table), (false, table)], confidence=0.95)
        verdicts.append(tuple(each["verdict"] for each in pairs))
    assert verdicts.count(("supported", "refuted")) >= 195


def test_the_interval_of_the_bootstrap_decides_as_its_p_says():
    rng = np.random.default_rng(3)
    skewed = rows(rng.lognormal(0, 1, 12), np.zeros(12))
    for relevant in (0.2, 0.6, 1.0, 1.5, 3.0):
        found = one(claim("more", relevant, method="bootstrap"), skewed)
        assert (found["low"] > relevant) == (found["verdict"] == "supported")
        assert (found["high"] < relevant) == (found["verdict"] == "refuted")
    t = one(claim(), skewed)
    assert found["low"] - found["estimate"] > t["low"] - t["estimate"]  # shorter on the short side


# What cannot be tested ----------------------------------------------------------------------------


def test_seeds_without_a_value_are_left_out_and_counted():
    found = one(claim(), rows([2, 4, 6, 10, np.nan], [1, 2, 3, 4, 5]))
    assert (found["seeds"], found["missing"], found["estimate"]) == (4, 1, 3)
    assert found["reason"] == "1 of 5 seeds have no value"
    unpaired = one(claim(), rows([2, 4, 6, 10], [1, 2, 3, 4, 5]))
    assert (unpaired["seeds"], unpaired["missing"]) == (4, 1)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (rows([2, 3], [1, 1]), "2 of 2 seeds have a value: too few"),
        (rows([2, 3, 4, *[np.nan] * 4], [1] * 7), "3 of 7 seeds have a value: too few"),
        (rows([], []), "not measured at this size"),
    ],
)
def test_too_few_seeds_leave_a_claim_undecided_and_untested(table, reason):
    found, other = judge([(claim(), table), (claim(), TABLE)], confidence=0.95)
    assert (found["verdict"], found["reason"]) == ("undecided", reason)
    assert np.isnan([found[key] for key in ("low", "high", "level", "p", "p_holm")]).all()
    assert other["level"] == pytest.approx(0.05)  # it counts for nothing in Holm's procedure


@pytest.mark.parametrize(
    ("direction", "value", "verdict"),
    [("more", 0.0, "refuted"), ("equal", 0.0, "supported"), ("less", 0.0, "refuted"),
     ("more", 0.5, "refuted"), ("equal", 0.5, "supported"), ("equal", -0.5, "supported"),
     ("less", -0.5, "refuted"), ("more", 0.6, "supported"), ("less", -0.6, "supported")],
)  # fmt: skip
def test_values_that_are_the_same_in_every_seed_are_a_point_and_ends_belong_to_equal(
    direction, value, verdict
):
    found = one(claim(direction, 0.5), rows([value] * 4, [0.0] * 4))
    assert (found["verdict"], found["reason"]) == (verdict, "the same in every seed")
    assert (found["low"], found["high"]) == (value, value)


@pytest.mark.parametrize(
    ("values", "verdict", "reason"),
    [
        ([1e-13, -2e-13], "supported", ""),
        ([1e-13, 2e-12, 0], "refuted", ""),
        ([0.0], "supported", ""),
        ([0.0, np.nan], "undecided", "1 of 2 seeds have no value"),
        ([np.nan], "undecided", "0 of 1 seeds have a value: too few"),
    ],
)
def test_a_claim_about_every_seed_is_refuted_by_one(values, verdict, reason):
    every = claim("equal", 1e-12, Value("loss", FIRST), every_seed=True)
    found = one(every, rows(values, []))
    assert (found["verdict"], found["reason"]) == (verdict, reason)
    defined = [value for value in values if value == value]
    if defined:
        assert (found["low"], found["high"]) == (min(defined), max(defined))
    assert np.isnan(found["p"])


# Contrasts ----------------------------------------------------------------------------------------


def test_a_slope_is_that_of_least_squares_per_seed():
    rng = np.random.default_rng(1)
    data = [(seed, depth, seed + (2 + seed) * depth + rng.normal()) for seed in range(4)
            for depth in (1, 2, 5, 9)]  # fmt: skip
    table = pd.DataFrame(data, columns=["seed", "depth", "norm"])
    got = Slope("norm", "depth", {}, target=2.0).effects(table)
    for seed in range(4):
        own = table[table["seed"] == seed]
        assert got[seed] == pytest.approx(np.polyfit(own["depth"], own["norm"], 1)[0] - 2)


def test_a_slope_of_logarithms_is_an_exponent_and_undefined_where_it_has_no_logarithm():
    data = [(seed, x, (seed + 1) * x**1.5) for seed in range(3) for x in (10, 100, 1000)]
    table = pd.DataFrame([*data, (3, 10, 0.0), (3, 100, 1.0), (4, 10, 1.0)],
                         columns=["seed", "x", "time"])  # fmt: skip
    got = Slope("time", "x", {}, log=True, log_over=True).effects(table)
    assert got.to_numpy()[:3] == pytest.approx([1.5] * 3)
    assert got.isna().tolist()[3:] == [True, True]  # a zero; one place only


def test_a_logarithmic_difference_is_the_logarithm_of_a_ratio():
    effects = Difference("loss", FIRST, SECOND, log=True).effects(rows([2, 9, 0], [1, 3, 1]))
    assert effects.to_numpy() == pytest.approx(np.log([2, 3, np.nan]), nan_ok=True)


def test_a_contrast_is_told_in_the_names_of_its_study():
    terms = {
        "loss": "training loss", "width": "{} units", "init": {"he": "weights of He", "none": ""},
        "net": {"": "the network", "a": "first network"}, "size": {"": "size", 3: "three"},
    }  # fmt: skip

    def told(first, second, **more):
        return Difference("loss", first, second, **more).in_words(terms)

    assert told(FIRST, SECOND) == "training loss: first network minus b"
    assert told(FIRST, {}, log=True) == (
        "training loss: logarithm of the ratio first network / all rows"
    )
    wide = {"init": "he", "width": 8, "other": 2}
    assert told({**FIRST, **wide}, {**SECOND, **wide}) == (
        "training loss (8 units, weights of He, other 2): first network minus b"
    )
    assert Value("loss", {"init": "none", "size": 3}, 0.5).in_words(terms) == (
        "training loss (three), minus 0.5"
    )
    assert Value("gap", {}, -0.30103).in_words(terms) == "gap, plus 0.301"
    slope = Slope("loss", "size", {**FIRST, "init": "none"}, log=True, target=1)
    assert slope.in_words(terms) == (
        "slope of the logarithm of training loss (first network) over size, minus 1"
    )
    exponent = Slope("loss", "net", {}, log=True, log_over=True)
    assert exponent.in_words(terms) == "exponent with which training loss grows with the network"


def test_regions_are_described():
    assert [claim(d, 0.5).region for d in ("more", "less", "equal")] == [
        "> 0.5", "< -0.5", "within ±0.5",
    ]  # fmt: skip
    ratio = Difference("loss", FIRST, SECOND, log=True)
    assert claim("more", np.log(6), ratio).region == "> 1.792 (a factor of 6)"


def test_a_contrast_that_does_not_fit_the_rows_is_an_error():
    with pytest.raises(ValueError, match="columns") as caught:
        one(claim(contrast=Value("los", {"nett": "a"})), TABLE)
    assert str(caught.value) == "claims: columns must be among net, seed, loss, got los, nett"
    with pytest.raises(ValueError, match="one row per seed") as caught:
        one(claim(contrast=Value("loss", {})), TABLE)
    assert str(caught.value) == (
        "claims: loss at {} must be one row per seed, got 8 rows of 4 seeds; name more settings"
    )
