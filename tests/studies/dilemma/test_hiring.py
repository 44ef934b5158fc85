"""The hiring dilemma: its premises are met, and each option's numbers are closed forms."""

from statistics import NormalDist

import pytest

from plumbline.errors import MetricError
from plumbline.studies.dilemma.hiring import EQUAL_ODDS, LOT, THRESHOLDS, USE, hiring_options

PREMISE = {
    "overall_accuracy": 0.85, "minority_accuracy": 0.7, "minority_share": 0.2,
    "qualified_share": 0.4, "candidates": 1000, "confidence": 0.95,
}  # fmt: skip


def options(**changed):
    found = hiring_options(**{**PREMISE, **changed})
    return found, {option["option"]: option for option in found["options"]}


def test_the_tool_as_it_is_has_the_accuracies_of_the_exercise():
    found, by_name = options()
    majority, minority = by_name[USE]["groups"]
    assert found["majority_accuracy"] == pytest.approx((0.85 - 0.2 * 0.7) / 0.8)
    assert by_name[USE]["accuracy"]["value"] == pytest.approx(0.85)
    assert minority["accuracy"] == pytest.approx(0.7)
    assert minority["tpr"] == pytest.approx(0.7)
    # Of 80 qualified people of the minority 24 are turned away; of the 320 others 36.
    assert minority["qualified_rejected"] == pytest.approx(24)
    assert majority["qualified_rejected"] == pytest.approx(320 * (1 - 0.8875))


def test_not_using_it_means_a_lot_that_treats_both_alike_and_is_right_half_of_the_time():
    _, by_name = options(qualified_share=0.5)
    assert by_name[LOT]["gap"]["value"] == pytest.approx(0)
    assert by_name[LOT]["accuracy"]["value"] == pytest.approx(0.5)
    hired = [
        sum(g["n"] * (0.5 * g["tpr"] + 0.5 * g["fpr"]) for g in by_name[o]["groups"])
        for o in (USE, LOT)
    ]
    assert hired[0] == pytest.approx(hired[1])


def test_thresholds_by_group_close_the_gap_by_hiring_more_who_are_not_qualified():
    _, by_name = options()
    (majority, before), (same, after) = (by_name[o]["groups"] for o in (USE, THRESHOLDS))
    normal = NormalDist()
    assert by_name[THRESHOLDS]["gap"]["value"] == pytest.approx(0)
    assert same == majority
    # d of the minority is 2 Φ⁻¹(0.7); at a true positive rate t the false one is Φ(Φ⁻¹(t) - d).
    expected = normal.cdf(normal.inv_cdf(0.8875) - 2 * normal.inv_cdf(0.7))
    assert after["fpr"] == pytest.approx(expected)
    assert after["accuracy"] < before["accuracy"]
    assert after["ppv"] < before["ppv"]


def test_equal_errors_are_had_by_doing_worse_for_the_majority():
    _, by_name = options()
    majority, minority = by_name[EQUAL_ODDS]["groups"]
    assert (majority["tpr"], majority["fpr"]) == (minority["tpr"], minority["fpr"])
    assert by_name[EQUAL_ODDS]["accuracy"]["value"] == pytest.approx(0.7)


def test_the_curve_runs_from_the_first_option_to_the_third():
    found, by_name = options()
    first, last = found["curve"][0], found["curve"][-1]
    assert first["gap"] == pytest.approx(by_name[USE]["gap"]["value"])
    assert last["gap"] == pytest.approx(0)
    gaps = [point["gap"] for point in found["curve"]]
    assert gaps == sorted(gaps, reverse=True)


def test_intervals_narrow_as_more_candidates_are_tried():
    narrow, wide = (options(candidates=n)[1][USE]["gap"] for n in (10000, 100))
    assert wide["low"] < narrow["low"] < narrow["value"] < narrow["high"] < wide["high"]


def test_accuracies_that_cannot_be_are_refused():
    with pytest.raises(MetricError) as error:
        options(minority_share=0.9)
    assert str(error.value) == (
        "dilemma: accuracy of the majority must be in (0.5, 1), got 2.2 from 0.85 of all and 0.7 "
        "of a 0.9 minority"
    )
