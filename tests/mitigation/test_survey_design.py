"""Weights and entities in the remedies: integer weights are repeated rows, ones are none."""

from dataclasses import replace

import numpy as np
import pytest

from plumbline import artifacts, names
from plumbline.audit.options import AuditOptions
from plumbline.metrics.intervals.resampling import Resampling
from plumbline.metrics.intervals.survey_design import Design
from plumbline.mitigation import files
from plumbline.mitigation.change import decision_change
from plumbline.mitigation.inprocessing import objectives
from plumbline.mitigation.inprocessing.linear import cells, fit_scores
from plumbline.mitigation.inprocessing.regression import fit_regression
from plumbline.mitigation.methods import METHODS, UNWEIGHTED
from plumbline.mitigation.postprocessing import thresholds
from plumbline.mitigation.postprocessing.equalised_odds import fit_randomized_thresholds
from plumbline.mitigation.preprocessing import weights
from plumbline.mitigation.problem import Rows, read_problem
from tests.mitigation.conftest import write_prepared

STRENGTHS = {"constraint": 0.05, "group_dro": 0.1}
MEASURING = AuditOptions(confidence=0.95, min_group_size=10, replicates=300, seed=0)


def both(rows, seed=0):
    """Return the rows with whole weights, and each of them as often as its weight says."""
    times = np.random.default_rng(seed).integers(1, 4, len(rows))
    weighted = replace(rows, design=Design.of(weight=times))
    return weighted, rows.take(np.repeat(np.arange(len(rows)), times)), times


@pytest.mark.parametrize(
    "fit",
    [
        fit_scores,
        lambda rows: fit_scores(rows, weights.independence_weights(rows)),
        lambda rows: objectives.fit_regulariser(rows, weight=1.0),
        lambda rows: objectives.fit_group_dro(rows, step=0.1, rounds=200),
        # Later the game of two magnifies rounding: an order of rows, too, would show.
        lambda rows: objectives.fit_adversarial(rows, weight=1.0, rounds=40),
    ],
    ids=["plain", "reweighing", "regulariser", "group_dro", "adversarial"],
)
def test_a_fit_to_whole_weights_is_that_to_repeated_rows(problem, fit):
    weighted, repeated, _ = both(problem.train)
    x = problem.test.x
    own = fit(weighted)(x)
    np.testing.assert_allclose(own, fit(repeated)(x), atol=1e-4)
    assert np.abs(own - fit(problem.train)(x)).max() > 1e-3


def test_what_is_chosen_after_training_is_chosen_as_on_repeated_rows(problem):
    weighted, repeated, times = both(problem.val)
    score = fit_scores(problem.train)(problem.val.x)
    again = np.repeat(score, times)
    np.testing.assert_array_equal(
        thresholds.equal_opportunity_thresholds(weighted, score),
        thresholds.equal_opportunity_thresholds(repeated, again),
    )
    assert thresholds.fit_reject_option(weighted, score).margin == (
        thresholds.fit_reject_option(repeated, again).margin
    )
    one, other = (
        thresholds.calibrate_groups(weighted, score),
        thresholds.calibrate_groups(repeated, again),
    )
    assert one.slope == pytest.approx(other.slope, rel=1e-3)
    chances = fit_randomized_thresholds(score, weighted.y, weighted.group, weighted.weight)
    same = fit_randomized_thresholds(again, repeated.y, repeated.group)
    assert (chances.fpr, chances.tpr) == pytest.approx((same.fpr, same.tpr))
    np.testing.assert_allclose(chances.lenient_share, same.lenient_share)


def test_factors_make_label_and_group_independent_in_sums_of_weights_by_hand():
    """Women weigh 2: of W = 15, men 5 (4 hired), women 10 (4 hired); hired in all 8.

    A hired woman's factor is (10/15 · 8/15) / (4/15) = 4/3, a hired man's (5 · 8) / (15 · 4) = 2/3.
    """
    group, y = np.repeat([0, 0, 1, 1], [4, 1, 2, 3]), np.repeat([1, 0, 1, 0], [4, 1, 2, 3])
    rows = Rows(np.zeros((10, 1)), y, group, Design.of(weight=np.where(group == 1, 2.0, 1.0)))
    factor = weights.independence_weights(rows)
    found = dict(zip(cells(rows).tolist(), factor, strict=True))
    assert found == pytest.approx({1: 2 / 3, 0: 7 / 3, 3: 4 / 3, 2: 7 / 9})
    assert (factor * rows.weight).sum() == pytest.approx(15)
    # As many rows of each cell as the factor says: 4 · 2/3, 1 · 7/3, 2 · 4/3, 3 · 7/9, rounded.
    drawn = weights.independent_draw(rows, seed=0)
    assert np.bincount(cells(rows)[drawn], minlength=4).tolist() == [2, 3, 2, 3]


def test_a_change_counts_rows_by_their_weights_and_entities_are_drawn_whole():
    """By hand: weights of 3 on the row that is mended, 1 elsewhere, make 3 / 12 of accuracy."""
    y = np.array([1, 1, 0, 0, 0, 1, 1, 0, 0, 0])
    group = np.repeat([0, 1], 5)
    was = np.array([1, 0, 0, 0, 1, 1, 1, 0, 0, 1])
    now = np.array([1, 1, 0, 0, 1, 1, 1, 0, 0, 1])
    options = Resampling(0.95, 500, 0)

    def changed(**design):
        rows = Rows(np.zeros((10, 1)), y, group, Design.of(**design))
        return decision_change(rows, was, now, options)

    found = changed(weight=np.where(np.arange(10) == 1, 3.0, 1.0))
    assert found["accuracy"]["value"] == pytest.approx(3 / 12)
    assert found["gap"]["value"] == pytest.approx(-3 / 4)  # 1 of 4 positives was found
    assert found["accuracy"]["low"] >= 0
    # One entity is all that is drawn: no replicate differs from the data.
    whole = changed(entity=["all"] * 10)
    assert whole["accuracy"] == pytest.approx({"value": 0.1, "low": 0.1, "high": 0.1})


def test_rows_that_stand_four_times_are_no_more_evidence_of_a_change_than_once():
    rng = np.random.default_rng(3)
    y, group, was, now = rng.integers(0, 2, (4, 200))
    options = Resampling(0.95, 2000, 0)
    rows = Rows(np.zeros((200, 1)), y, group)
    four = np.tile(np.arange(200), 4)
    own = Rows(np.zeros((800, 1)), y[four], group[four], Design.of(entity=four))
    once = decision_change(rows, was, now, options)
    again = decision_change(own, was[four], now[four], options)
    for part in ("accuracy", "gap"):
        assert once[part]["value"] == pytest.approx(again[part]["value"])
        width, other = (cell[part]["high"] - cell[part]["low"] for cell in (once, again))
        assert other == pytest.approx(width, rel=0.1)


def with_design(folder, target, **columns):
    """Write the prepared table of a folder to another one, with more columns."""
    table = artifacts.read_split_table(folder)
    target.mkdir()
    artifacts.write_json(target / "schema.json", artifacts.DatasetSchema.read(folder))
    artifacts.write_table(target / "table.parquet", table.assign(**columns))
    return read_problem(target, attribute="sex")


@pytest.mark.parametrize("name", METHODS)
def test_weights_of_one_and_entities_of_one_row_give_the_same_bits(tmp_path, name):
    folder = write_prepared(tmp_path, n=600)
    plain = read_problem(folder, attribute="sex")
    n = len(artifacts.read_split_table(folder))
    ones = with_design(
        folder, tmp_path / "ones", sample_weight=np.ones(n), entity=[f"e{i}" for i in range(n)]
    )
    options = {"strength": STRENGTHS.get(name, 1.0), "rounds": 50, "seed": 7}
    one, other = (fit_regression(name, each, **options) for each in (plain, ones))
    np.testing.assert_array_equal(one.score, other.score)
    np.testing.assert_array_equal(one.decision, other.decision)


def test_a_report_counts_by_weights_and_says_what_does_not(tmp_path):
    folder = write_prepared(tmp_path / "made", n=900)
    rng = np.random.default_rng(1)
    table = artifacts.read_split_table(folder)
    # Three rows an entity, all of one split.
    order = table.groupby("split").cumcount() // 3
    problem = with_design(
        folder, tmp_path / "own", sample_weight=rng.gamma(2, size=len(table)),
        entity=table["split"] + order.astype(str),
    )  # fmt: skip
    model = names.LOGISTIC_REGRESSION
    for name in ("none", "constraint"):
        strength = STRENGTHS.get(name, 1.0)
        decided = fit_regression(name, problem, strength=strength, rounds=50, seed=7)
        files.write_outcome(
            model, name, problem, {strength: decided}, reference=decided.decision,
            options=MEASURING, out=lambda path: tmp_path / path.name,
        )  # fmt: skip
        found = artifacts.read_json(tmp_path / f"{model}_{name}.json")
        test, weight = problem.test, problem.table[names.WEIGHT].to_numpy()
        right = np.where(test.y == 1, decided.selected, 1 - decided.selected)
        assert found["accuracy"]["value"] == pytest.approx(np.average(right, weights=weight))
        positive = test.y == 1
        rates = [
            np.average(decided.selected[own], weights=weight[own])
            for own in (positive & (test.group == g) for g in (0, 1))
        ]
        assert found["gaps"][names.TPR]["value"] == pytest.approx(max(rates) - min(rates))
        assert found["weight"] == pytest.approx(weight.sum())
        assert found["entities"] == problem.table["entity"].nunique()
        said = "; unweighted: the fit counts each row once"
        assert found["about"] == METHODS[name].about + (said if name == "constraint" else "")
        kept = artifacts.Predictions.read(tmp_path / f"{model}_{name}.parquet")
        np.testing.assert_array_equal(kept.table[names.WEIGHT], weight)
    assert set(UNWEIGHTED) <= {
        (model, method) for model, methods in names.MITIGATED_MODELS.items() for method in methods
    }


def test_a_group_whose_rows_of_a_class_weigh_nothing_is_refused(tmp_path):
    folder = write_prepared(tmp_path, n=300)
    table = artifacts.read_split_table(folder)
    nothing = (table["sex"] == "M") & (table["y"] == 1) & (table["split"] == "train")
    weight = np.where(nothing, 0.0, 1.0)
    assert with_design(folder, tmp_path / "own", sample_weight=weight) == (
        "sex = M has rows of one class only in the train split"
    )
