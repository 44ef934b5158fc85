"""MEASURE 2.11: what was found, what was not measured, and who decides."""

from plumbline import names
from plumbline.standards.measure_2_11 import measure_worksheet

HEAD = {"attribute": "sex", "metric": "accuracy", "comparison": "difference"}
FOUND = {"value": 0.1, "low": 0.0, "high": 0.2, "lowest": "F", "highest": "M"}


def test_results_name_the_rule_that_decides_and_its_owner_or_the_models():
    gaps = [
        {**HEAD, **FOUND, "verdict": names.DIFFERENCE},
        {**HEAD, **FOUND, "metric": "selection_rate", "verdict": names.INCONCLUSIVE},
        {**HEAD, **FOUND, "comparison": "ratio", "verdict": names.DIFFERENCE},
        {**HEAD, **FOUND, "metric": "negative_predictive_value", "verdict": names.DIFFERENCE},
    ]
    rule = {"model": "fnn", "gap": dict(HEAD), "rationale": "equal service", "owner": "team"}
    other = {"model": "cnn", "gap": {**HEAD, "metric": "selection_rate"}, "rationale": "x",
             "owner": "y"}  # fmt: skip
    sheet = measure_worksheet({"model": "fnn", "gaps": gaps}, [other, rule], owner="project")
    assert [(r["harm"], r["decision"], r["owner"]) for r in sheet["results"]] == [
        ("quality of service", "equal service", "team"),
        ("allocation", None, "project"),
    ]
    assert sheet["not_measured"] == []


def test_a_rule_about_every_attribute_decides_on_each_of_its_data_but_no_intersection():
    gaps = [
        {**HEAD, **FOUND, "attribute": attribute, "verdict": names.DIFFERENCE}
        for attribute in ("sex", "age", "age×sex")
    ]
    rule = {"model": "fnn", "gap": {**HEAD, "attribute": "*"}, "rationale": "x", "owner": "team"}
    audit = {"model": "fnn", "source": "iris", "gaps": gaps}
    for data, owners in (
        (None, ["team", "team", "us"]), (["iris"], ["team", "team", "us"]), (["adult"], ["us"] * 3)
    ):  # fmt: skip
        sheet = measure_worksheet(audit, [{**rule, "data": data}], owner="us")
        assert [r["owner"] for r in sheet["results"]] == owners


def test_what_cannot_be_measured_is_listed_with_its_reason():
    gap = {**HEAD, **dict.fromkeys(FOUND), "verdict": names.INSUFFICIENT, "reason": "n = 3"}
    sheet = measure_worksheet({"model": "fnn", "gaps": [gap]}, [], owner="project")
    assert sheet["results"] == []
    assert sheet["not_measured"] == [{"attribute": "sex", "metric": "accuracy", "reason": "n = 3"}]
