"""Every method goes the whole way to its report, and the report says what the table says."""

import json

import numpy as np
import pytest

from plumbline import artifacts, names
from plumbline.artifacts import Predictions
from plumbline.audit.options import AuditOptions
from plumbline.mitigation import files, outcome
from plumbline.mitigation.inprocessing.linear import estimator
from plumbline.mitigation.inprocessing.regression import fit_regression
from plumbline.mitigation.methods import METHODS, Decided, plain
from plumbline.runs import dvc_files

STRENGTHS = {"constraint": 0.05, "group_dro": 0.1}
MEASURING = AuditOptions(confidence=0.95, min_group_size=10, replicates=500, seed=0)
MODEL = names.LOGISTIC_REGRESSION


def fit(name, problem, strength=None):
    strength = STRENGTHS.get(name, 1.0) if strength is None else strength
    return fit_regression(name, problem, strength=strength, rounds=300, seed=7)


def report(name, problem, *strengths):
    tried = {s: fit(name, problem, s) for s in strengths or [STRENGTHS.get(name, 1.0)]}
    found = outcome.method_outcome(
        MODEL,
        name,
        problem,
        tried,
        reference=fit("none", problem).decision,
        options=MEASURING,
    )
    return next(iter(tried.values())), found


def odds_gap(y, group, decision):
    """Return the larger gap of both error rates, counted out."""
    return max(
        abs(np.subtract(*(decision[(group == g) & (y == c)].mean() for g in np.unique(group))))
        for c in (0, 1)
    )


@pytest.mark.parametrize(("stage", "model"), [("mitigate", MODEL), ("mitigate_fnn", names.FNN)])
def test_methods_have_the_names_of_the_stages(root, stage, model):
    assert tuple(METHODS) == names.MITIGATIONS
    stages = {found for found in dvc_files.stages(root) if found.startswith(f"{stage}@")}
    assert stages == {f"{stage}@{name}" for name in names.MITIGATED_MODELS[model]}


@pytest.mark.parametrize("name", names.MITIGATIONS)
def test_a_method_goes_from_the_table_to_its_report(name, problem):
    decided, found = report(name, problem)
    y, group = problem.test.y, problem.test.group
    chance = decided.selected
    assert found["accuracy"]["value"] == pytest.approx(np.where(y == 1, chance, 1 - chance).mean())
    rates = [chance[(group == g) & (y == 1)].mean() for g in (0, 1)]
    gap = found["gaps"][names.TPR]
    assert gap["value"] == pytest.approx(max(rates) - min(rates))
    assert gap["low"] <= gap["value"] <= gap["high"]
    assert found["equalised_odds"]["value"] == pytest.approx(odds_gap(y, group, chance))
    assert (found["parameter"] is None) == (found["curve"] == [])
    json.loads(artifacts.dump_json(found))
    again = fit(name, problem)
    np.testing.assert_array_equal(again.decision, decided.decision)


def test_a_curve_holds_every_strength_by_its_size_and_the_report_is_of_the_first(problem):
    _, found = report("regulariser", problem, 1.0, 0.0, 100.0)
    assert [point["strength"] for point in found["curve"]] == [0.0, 1.0, 100.0]
    none = report("none", problem)[1]
    assert found["curve"][0]["accuracy"] == none["accuracy"]
    assert found["curve"][1]["equalised_odds"] == found["equalised_odds"]
    gaps = [point["equalised_odds"]["value"] for point in found["curve"]]
    assert gaps[0] > gaps[1] > gaps[2]


def test_a_method_that_decides_every_row_alike_is_said_to(problem):
    decided = plain(np.full(len(problem.test), 0.2))
    reference = fit("none", problem).decision
    found = outcome.method_outcome(
        MODEL, "regulariser", problem, {1.0: decided}, reference=reference, options=MEASURING
    )
    assert found["constant"]
    assert [point["constant"] for point in found["curve"]] == [True]
    assert found["equalised_odds"]["value"] == 0
    assert not report("none", problem)[1]["constant"]


def test_the_point_of_the_front_follows_from_the_table(problem, tmp_path):
    tried = {1.0: fit("regulariser", problem)}
    reference = fit("none", problem).decision
    values = files.write_outcome(
        MODEL, "regulariser", problem, tried, reference=reference, options=MEASURING,
        out=lambda path: tmp_path / path.name,
    )  # fmt: skip
    table = Predictions.read(tmp_path / files.table_path(MODEL, "regulariser").name).table
    found = artifacts.read_json(tmp_path / files.report_path(MODEL, "regulariser").name)
    y, decision = table["y_true"].to_numpy(), table["y_pred"].to_numpy()
    gap = odds_gap(y, table["sex"].to_numpy(), decision)
    assert found["equalised_odds"]["value"] == pytest.approx(gap)
    assert found["accuracy"]["value"] == pytest.approx((y == decision).mean())
    assert values["test/accuracy"] == pytest.approx((y == decision).mean())
    assert f"gap/sex/{names.TPR}" in values


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("constraint", 0.5), ("regulariser", 0.5), ("group_thresholds", 0.5),
        ("equalised_odds", 0.5),
        ("adversarial", 1.0),  # its last round decides how far: see the tests of its objective
    ],
)  # fmt: skip
def test_methods_that_aim_at_error_rates_narrow_their_gap_on_unseen_rows(name, left, problem):
    metric = names.TPR  # what thresholds for equal opportunity aim at, and the others too
    _, before = report("none", problem)
    _, after = report(name, problem)
    assert before["gaps"][metric]["verdict"] == names.DIFFERENCE
    assert after["gaps"][metric]["value"] < left * before["gaps"][metric]["value"]


def test_a_group_without_positives_has_no_equalised_odds_and_no_zero(problem):
    decided = fit("none", problem)
    empty = np.where(problem.test.group == 0, 0, problem.test.y)
    test = type(problem.test)(problem.test.x, empty, problem.test.group)
    changed = type(problem)(**{**vars(problem), "test": test})
    found = outcome.method_outcome(
        MODEL, "none", changed, {1.0: decided}, reference=decided.decision, options=MEASURING
    )
    assert found["equalised_odds"] is None


def test_data_that_give_nothing_to_do_have_a_report_that_says_why(tmp_path):
    files.write_reason(
        MODEL, "reweighing", "made has no attribute", out=lambda path: tmp_path / path.name
    )
    report = artifacts.read_json(tmp_path / files.report_path(MODEL, "reweighing").name)
    assert report["skipped"] == "made has no attribute"
    table, meta = artifacts.read_table(tmp_path / files.table_path(MODEL, "reweighing").name)
    assert (len(table), meta) == (0, {"skipped": "made has no attribute"})


def test_random_decisions_are_measured_by_their_expectation(problem):
    """As the mean over draws is, and as fairlearn's probabilities of selection say."""
    decided, found = report("equalised_odds", problem)
    y, rng = problem.test.y, np.random.default_rng(3)
    drawn = rng.random((4000, len(y))) < decided.chance
    assert found["accuracy"]["value"] == pytest.approx((drawn == y).mean(), abs=5e-4)
    by_draw = [odds_gap(y, problem.test.group, one) for one in drawn[:200].astype(int)]
    assert found["equalised_odds"]["value"] < np.mean(by_draw)  # one draw's gap is wider


def test_the_interval_of_an_expected_rate_is_between_that_of_a_mean_and_that_of_draws(problem):
    """No narrower than Student's of the probabilities, narrower than that of drawn decisions."""
    decided, found = report("equalised_odds", problem)
    y = problem.test.y
    right = np.where(y == 1, decided.chance, 1 - decided.chance)
    narrow, wide = (1.96 * sd / len(y) ** 0.5 for sd in (right.std(ddof=1), bernoulli(right)))
    own = found["accuracy"]
    assert 2 * narrow <= own["high"] - own["low"] < 2 * wide
    once = outcome.measure_decisions(
        MODEL, "equalised_odds", problem, plain(decided.score), reference=decided.decision,
        options=MEASURING,
    )  # fmt: skip
    assert once["changed"]["rows"] == (decided.decision != (decided.score >= 0.5)).sum()


def test_fairlearns_randomised_thresholds_are_measured_by_its_own_probabilities(problem):
    from fairlearn.metrics import MetricFrame, true_positive_rate
    from fairlearn.postprocessing import ThresholdOptimizer

    fitted = fit_scores_of_sklearn(problem.train)
    optimizer = ThresholdOptimizer(
        estimator=fitted, constraints="equalized_odds", prefit=True,
        predict_method="predict_proba", grid_size=5000,
    )  # fmt: skip
    val, test = problem.val, problem.test
    optimizer.fit(val.x, val.y, sensitive_features=val.group)
    chance = optimizer._pmf_predict(test.x, sensitive_features=test.group)[:, 1]
    score = fitted.predict_proba(test.x)[:, 1]
    theirs = outcome.measure_decisions(
        MODEL, "equalised_odds", problem, Decided(score, (chance > 0.5).astype(int), {}, chance),
        reference=(score >= 0.5).astype(int), options=MEASURING,
    )  # fmt: skip
    frame = MetricFrame(  # rows that stand for their two parts
        metrics=true_positive_rate, y_true=np.tile(test.y, 2), sensitive_features=np.tile(
            test.group, 2
        ), y_pred=np.repeat([1, 0], len(chance)),
        sample_params={"sample_weight": np.concatenate([chance, 1 - chance])},
    )  # fmt: skip
    assert theirs["gaps"][names.TPR]["value"] == pytest.approx(frame.difference())
    own = report("equalised_odds", problem)[1]
    assert own["accuracy"]["value"] == pytest.approx(theirs["accuracy"]["value"], abs=5e-3)


def test_a_method_that_changes_no_decision_has_changed_0_rows(problem):
    decided = fit("none", problem)
    found = outcome.measure_decisions(
        MODEL, "reweighing", problem, decided, reference=decided.decision, options=MEASURING
    )
    assert found["changed"] == {"rows": 0.0, "share": 0.0}
    assert found["change"]["accuracy"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def bernoulli(chance):
    return np.sqrt(chance.mean() * (1 - chance.mean()))


def fit_scores_of_sklearn(rows):
    return estimator().fit(rows.x, rows.y)
