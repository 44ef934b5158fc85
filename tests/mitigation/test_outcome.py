"""Every method goes the whole way to its report, and the report says what the table says."""

import json

import numpy as np
import pytest

from plumbline import artifacts, dag, names
from plumbline.mitigation import outcome
from plumbline.mitigation.methods import METHODS, Strengths

STRENGTHS = Strengths(0.05, 1.0, 0.1, 1.0, 300)
AUDIT = {"confidence": 0.95, "min_group_size": 10, "min_group_share": 0.02, "replicates": 500,
         "seed": 0}  # fmt: skip


def report(name, problem):
    decided = METHODS[name].fit(problem, STRENGTHS, 7)
    return decided, outcome.method_outcome(name, problem, decided, **AUDIT)


def test_methods_have_the_names_of_the_stages(root):
    assert tuple(METHODS) == names.MITIGATIONS
    stages = {stage for stage in dag.stages(root) if stage.startswith("mitigate@")}
    assert stages == {f"mitigate@{name}" for name in names.MITIGATIONS}


@pytest.mark.parametrize("name", names.MITIGATIONS)
def test_a_method_goes_from_the_table_to_its_report(name, problem):
    decided, found = report(name, problem)
    y, group = problem.test.y, problem.test.group
    assert found["accuracy"]["value"] == pytest.approx((decided.decision == y).mean())
    rates = [decided.decision[(group == g) & (y == 1)].mean() for g in (0, 1)]
    gap = found["gaps"][names.TPR]
    assert gap["value"] == pytest.approx(max(rates) - min(rates))
    assert gap["low"] <= gap["value"] <= gap["high"]
    assert found["equalised_odds"]["value"] == max(
        found["gaps"][metric]["value"] for metric in outcome.ODDS
    )
    json.loads(artifacts.dump_json(found))
    again = METHODS[name].fit(problem, STRENGTHS, 7)
    np.testing.assert_array_equal(again.decision, decided.decision)


@pytest.mark.parametrize(
    "name", ["constraint", "regulariser", "adversarial", "group_thresholds", "equalised_odds"]
)
def test_methods_that_aim_at_error_rates_narrow_their_gap_on_unseen_rows(name, problem):
    metric = names.TPR  # what thresholds for equal opportunity aim at, and the others too
    _, before = report("none", problem)
    _, after = report(name, problem)
    assert before["gaps"][metric]["verdict"] == names.DIFFERENCE
    assert after["gaps"][metric]["value"] < before["gaps"][metric]["value"] / 2


def test_a_group_without_positives_has_no_equalised_odds_and_no_zero(problem):
    decided = METHODS["none"].fit(problem, STRENGTHS, 7)
    empty = np.where(problem.test.group == 0, 0, problem.test.y)
    test = type(problem.test)(problem.test.x, empty, problem.test.group)
    changed = type(problem)(**{**vars(problem), "test": test})
    found = outcome.method_outcome("none", changed, decided, **AUDIT)
    assert found["equalised_odds"] is None


def test_data_that_give_nothing_to_do_have_a_report_that_says_why():
    assert outcome.no_outcome("reweighing", "made has no attribute")["skipped"] == (
        "made has no attribute"
    )
