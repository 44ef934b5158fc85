import pandas as pd
import pytest

from plumbline import artifacts, gate, names
from plumbline.artifacts import Predictions
from plumbline.metrics.comparison.differences import predictions_to_comparison
from plumbline.metrics.comparison.paired_shares import tango
from plumbline.metrics.estimates import MetricOptions
from plumbline.params.policy import GateRule
from tests.gate.rules import STATED

OPTIONS = MetricOptions(confidence=0.95, replicates=50, seed=0, neighbours=1, splits=2)


def decided(model, wrong):
    """A model of two classes that is wrong in the rows of a range."""
    y = [0, 1] * 50
    right = [number not in wrong for number in range(100)]
    p = [0.9 if (label == 1) == hit else 0.1 for label, hit in zip(y, right, strict=True)]
    table = pd.DataFrame({"sample_id": [str(n) for n in range(100)], "split": names.TEST})
    table = table.assign(y_true=y, y_pred=[int(each > 0.5) for each in p])
    table = table.assign(score_no=[1 - each for each in p], score_yes=p)
    return Predictions(
        table, model, names.CLASSIFICATION, names.TABULAR, "csv", ("no", "yes"), "yes", ()
    )


@pytest.fixture
def reports(tmp_path):
    """The reports of two models on 100 rows, written and read as the stages do it."""
    tables = [decided("baseline", range(0, 20)), decided("fnn", range(18, 28))]
    comparison = predictions_to_comparison(
        tables, OPTIONS, dataset=names.TABULAR, main_metric=names.ACCURACY
    )
    artifacts.write_json(tmp_path / names.COMPARISONS / "tabular.json", comparison)
    for model, value in (("baseline", 0.8), ("fnn", 0.9)):
        content = {"n": 100, "source": "csv", "metrics": {names.ACCURACY: {"value": value}}}
        artifacts.write_json(tmp_path / names.METRICS_DIR / f"{model}.json", content)
    return gate.read_reports(tmp_path)


@pytest.mark.parametrize(
    ("bound", "result"), [(-0.01, "pass"), (0.1, "warn"), (0.25, "fail")], ids=str
)
def test_a_rule_reads_the_paired_interval_that_the_stage_writes(reports, bound, result):
    """Rows right by one model alone: 18 and 8. McNemar: chi² 3.846, just over 3.841."""
    rule = {
        **STATED, "model": "fnn", "quantity": names.ACCURACY, "min": bound, "undecided": "warn",
        "less": {"model": "baseline", "quantity": names.ACCURACY},
    }  # fmt: skip
    found = gate.check_rules([GateRule(**rule).model_dump(mode="json")], reports)["rules"][0]
    assert (found["value"], found["n"], found["result"]) == (0.1, 100, result)
    assert 0 < found["low"] < 0.001
    assert found["high"] == pytest.approx(tango(18, 8, 100, confidence=0.95)[1])


def test_either_model_may_stand_first(reports):
    one = reports.paired("fnn", "baseline", names.ACCURACY)
    other = reports.paired("baseline", "fnn", names.ACCURACY)
    assert (other["low"], other["high"]) == (-one["high"], -one["low"])
