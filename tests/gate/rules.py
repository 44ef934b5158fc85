"""Rules, and the reports that they are held against."""

import datetime

from plumbline import gate
from plumbline.params.policy import GateRule

METRICS = {
    "cnn": {
        "n": 200,
        "source": "digits",
        "metrics": {
            "accuracy": {"value": 0.91, "low": 0.88, "high": 0.93},
            "auroc": {"value": None, "low": None, "high": None},
            "loss": {"value": 2.0, "low": None, "high": None},
        },
    },
    "fnn": {
        "n": 200,
        "source": "iris",
        "metrics": {"accuracy": {"value": 0.895, "low": 0.8, "high": 0.95}},
    },
}
OTHER = {"model": "fnn", "quantity": "accuracy"}
PAIR = {"model": "cnn", "other": "fnn", "quantity": "accuracy", "n": 150}
COMPARISONS = {"images": {"differences": [{**PAIR, "value": 0.015, "low": -0.01, "high": 0.04}]}}

GAP = {"attribute": "sex", "metric": "selection_rate", "comparison": "difference"}
AGE = {**GAP, "attribute": "age"}
RATIO = {**GAP, "comparison": "ratio"}
TPR = {**GAP, "metric": "true_positive_rate"}
FPR = {**GAP, "metric": "false_positive_rate"}
AUDITS = {
    "cnn": {
        "n": 180,
        "source": "digits",
        "gaps": [
            {**GAP, "value": 0.12, "low": 0.02, "high": 0.2, "n": 170, "verdict": "difference",
             "detectable": 0.1},
            {**RATIO, "value": 0.5, "low": 0.2, "high": None, "n": 170, "verdict": "inconclusive",
             "detectable": None},
            # Nine positives in all: a wide interval around a wide gap.
            {**TPR, "value": 0.431, "low": -0.217, "high": 0.829, "n": 9,
             "verdict": "inconclusive", "detectable": 0.784},
            {**FPR, "value": 0.01, "low": -0.06, "high": 0.08, "n": 161, "verdict": "equivalent",
             "detectable": 0.09},
            {**AGE, "value": None, "low": None, "high": None, "n": None,
             "verdict": "insufficient", "detectable": None},
        ],
    }
}  # fmt: skip

STATED = {
    "model": "cnn", "source": "engineering", "owner": "team", "rationale": "it must read",
    "expires": None,
}  # fmt: skip
LENIENT = dict.fromkeys(("difference", "equivalent", "inconclusive", "insufficient"), "pass")
TODAY = datetime.date(2026, 5, 1)


def check(*rules, audits=AUDITS, comparisons=COMPARISONS):
    dumps = [GateRule(**{**STATED, **rule}).model_dump(mode="json") for rule in rules]
    return gate.check_rules(dumps, gate.Reports(METRICS, audits, comparisons))


def judge(*rules, on=TODAY):
    return gate.judgements(check(*rules), on)
