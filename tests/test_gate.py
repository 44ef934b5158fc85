"""The gate: what passes, what fails and what it says."""

import pytest

from plumbline import gate
from plumbline.errors import GateError
from plumbline.params import GateRule

METRICS = {
    "cnn": {
        "metrics": {
            "accuracy": {"value": 0.91, "low": 0.88, "high": 0.93},
            "auroc": {"value": None, "low": None, "high": None},
            "loss": {"value": 2.0, "low": None, "high": None},
        }
    },
    "fnn": {"metrics": {"accuracy": {"value": 0.895, "low": 0.8, "high": 0.95}}},
}
OTHER = {"model": "fnn", "quantity": "accuracy"}
GAP = {"attribute": "sex", "metric": "selection_rate", "comparison": "difference"}
AUDITS = {
    "cnn": {
        "gaps": [
            {**GAP, "value": 0.12, "low": 0.02, "high": 0.2, "verdict": "difference"},
            {**GAP, "comparison": "ratio", "value": 0.5, "low": 0.2, "high": None,
             "verdict": "no difference shown"},
            {**GAP, "attribute": "age", "value": None, "low": None, "high": None,
             "verdict": "insufficient"},
        ]
    }
}  # fmt: skip


def check(*rules):
    stated = {"model": "cnn", "source": "engineering", "rationale": "it must read"}
    dumps = [GateRule(**{**stated, **rule}).model_dump(mode="json") for rule in rules]
    return gate.check_rules(dumps, metrics=METRICS, audits=AUDITS)


@pytest.mark.parametrize(
    ("rule", "passed"),
    [
        ({"quantity": "accuracy", "min": 0.91}, True),
        ({"quantity": "accuracy", "min": 0.9, "interval": True}, False),
        ({"quantity": "accuracy", "min": 0.88, "interval": True}, True),
        ({"quantity": "accuracy", "max": 0.92}, True),
        ({"quantity": "accuracy", "max": 0.92, "interval": True}, False),
        ({"quantity": "accuracy", "min": 0.9, "max": 0.905}, False),
        ({"quantity": "auroc", "min": 0.0}, False),
        ({"quantity": "loss", "max": 3.0}, True),
        ({"quantity": "loss", "max": 3.0, "interval": True}, False),
        ({"quantity": "accuracy", "less": OTHER, "min": 0.01}, True),
        ({"quantity": "accuracy", "less": OTHER, "min": 0.02}, False),
        ({"quantity": "auroc", "less": OTHER, "min": -9.0}, False),
        ({"gap": GAP, "max": 0.15}, True),
        ({"gap": GAP, "max": 0.15, "interval": True}, False),
        ({"gap": GAP, "max": 0.15, "forbidden_verdicts": ["difference"]}, False),
        ({"gap": {**GAP, "attribute": "age"}, "forbidden_verdicts": ["insufficient"]}, False),
        ({"gap": {**GAP, "comparison": "ratio"}, "forbidden_verdicts": ["difference"]}, True),
    ],
)
def test_a_rule_holds_the_value_or_the_nearer_bound(rule, passed):
    report = check(rule)
    assert report["passed"] is passed
    assert [outcome["passed"] for outcome in report["rules"]] == [passed]
    assert (gate.failure(report) == "") is passed


def test_every_missed_rule_is_named_with_its_source_and_interval():
    report = check(
        {"quantity": "accuracy", "min": 0.93},
        {"quantity": "accuracy", "min": 0.9},
        {"quantity": "accuracy", "less": OTHER, "min": 0.05},
        {"quantity": "auroc", "min": 0.5, "source": "guideline", "rationale": "better than chance"},
        {"gap": GAP, "max": 0.1, "interval": True, "forbidden_verdicts": ["difference"]},
        {"gap": {**GAP, "comparison": "ratio"}, "min": 0.8, "source": "legal",
         "rationale": "four fifths"},
    )  # fmt: skip
    assert gate.failure(report) == (
        "gate: cnn accuracy must be >= 0.93 (engineering: it must read), got 0.91 [0.88, 0.93]; "
        "cnn accuracy less fnn accuracy must be >= 0.05 (engineering: it must read), got 0.015; "
        "cnn auroc must be >= 0.5 (guideline: better than chance), got undefined; "
        "cnn selection_rate difference by sex must be <= 0.1 with its interval and not have the "
        "verdict 'difference' (engineering: it must read), got 0.12 [0.02, 0.2], 'difference'; "
        "cnn selection_rate ratio by sex must be >= 0.8 (legal: four fifths), "
        "got 0.5 [0.2, ∞], 'no difference shown'"
    )


def test_the_report_keeps_rule_and_finding():
    (outcome,) = check({"quantity": "accuracy", "min": 0.9})["rules"]
    assert outcome == {
        "model": "cnn",
        "quantity": "accuracy",
        "value": 0.91,
        "low": 0.88,
        "high": 0.93,
        "min": 0.9,
        "max": None,
        "interval": False,
        "verdict": None,
        "forbidden_verdicts": [],
        "source": "engineering",
        "rationale": "it must read",
        "passed": True,
    }


def test_no_rules_are_kept():
    assert check() == {"passed": True, "rules": []}


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            {"model": "rnn", "quantity": "accuracy", "min": 0},
            "gate: model must be one with a report of metrics, ['cnn', 'fnn'], got 'rnn'",
        ),
        (
            {"quantity": "f1", "min": 0},
            "gate: quantity of cnn must be one of ['accuracy', 'auroc', 'loss'], got 'f1'",
        ),
        (
            {"gap": {**GAP, "attribute": "race"}, "max": 1},
            "gate: gap of cnn must be one of ['selection_rate difference by age', "
            "'selection_rate difference by sex', 'selection_rate ratio by sex'], "
            "got 'selection_rate difference by race'",
        ),
        (
            {"model": "rnn", "gap": GAP, "max": 1},
            "gate: model must be one with a report of audit, ['cnn'], got 'rnn'",
        ),
    ],
)
def test_what_no_report_has_is_an_error(rule, message):
    with pytest.raises(GateError) as error:
        check(rule)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"min": 0.0}, "a rule must have either a quantity or a gap, got neither"),
        ({"quantity": "a", "gap": GAP, "min": 0.0},
         "a rule must have either a quantity or a gap, got both"),
        (
            {"quantity": "a", "less": OTHER, "min": 0.0, "interval": True},
            "less must stand with a quantity and without interval, got another",
        ),
        (
            {"quantity": "a", "forbidden_verdicts": ["insufficient"]},
            "forbidden_verdicts must stand with a gap, got a quantity",
        ),
    ],
)  # fmt: skip
def test_a_rule_has_one_subject(rule, message):
    with pytest.raises(ValueError, match=message):
        check(rule)
