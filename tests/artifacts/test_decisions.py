"""The rule of a binary classifier, kept with the model and its predictions."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from plumbline import artifacts
from plumbline.artifacts import Decision, ModelConfig, Predictions, decide
from plumbline.errors import ArtifactError

DECLARED = Decision(0.3, "yes")
CHOSEN = Decision(0.25, "yes", chosen_for="f1", reached=0.8125, rows=40)


def config(facts, **arguments):
    return ModelConfig(
        "fnn", "fnn", arguments, "classification", "tabular", "toy", ("no", "yes"), facts=facts
    )


def predictions(decided, decision):
    table = pd.DataFrame(
        {
            "sample_id": ["a", "b", "c"], "split": "test", "y_true": [0, 1, 1], "y_pred": decided,
            "score_no": [0.8, 0.7, 0.1], "score_yes": [0.2, 0.3, 0.9],
        }
    )  # fmt: skip
    return Predictions(
        table, "fnn", "classification", "tabular", "toy", ("no", "yes"), "yes", (), decision
    )


def test_a_score_at_the_threshold_is_selected_and_of_equal_scores_argmax_takes_the_first():
    scores = np.array([[0.75, 0.25], [0.5, 0.5], [0.76, 0.24]])
    assert decide(scores, CHOSEN).tolist() == [1, 1, 0]
    assert decide(scores, None).tolist() == [0, 0, 0]
    assert decide(scores, CHOSEN).dtype == decide(scores, None).dtype == np.int64


def test_a_decision_says_where_it_comes_from():
    assert DECLARED.sentence() == (
        "'yes' is decided where its probability is at least 0.3, a declared threshold."
    )
    assert CHOSEN.sentence() == (
        "'yes' is decided where its probability is at least 0.25: of all thresholds the one with "
        "the best F1 of this class on the 40 rows of the validation split, 0.8125 there."
    )


@pytest.mark.parametrize("decision", [DECLARED, CHOSEN, None])
def test_config_and_predictions_keep_a_decision(tmp_path, decision):
    facts = {} if decision is None else {"decision": decision.facts()}
    artifacts.write_json(tmp_path / "config.json", config(facts))
    assert ModelConfig.read(tmp_path).decision() == decision
    decided = [0, 0, 1] if decision is None else [0, 1, 1]
    predictions(decided, decision).write(tmp_path / "p.parquet")
    assert Predictions.read(tmp_path / "p.parquet").decision == decision


def test_predictions_without_a_threshold_have_the_header_that_they_had(tmp_path):
    predictions([0, 0, 1], None).write(tmp_path / "p.parquet")
    assert set(artifacts.read_table(tmp_path / "p.parquet")[1]) == {
        "model", "kind", "dataset", "source", "classes", "positive", "attributes",
    }  # fmt: skip


def test_each_classical_model_has_its_own_decision():
    found = config(
        {"decision": {"svm": CHOSEN.facts(), "tree": DECLARED.facts()}},
        chosen="svm", models={"svm": {}, "tree": {}},
    )  # fmt: skip
    assert (found.decision(), found.decision("tree")) == (CHOSEN, DECLARED)


@pytest.mark.parametrize(
    ("raw", "got"),
    [
        ({"threshold": 1.5, "positive": "yes"}, "1.5 for None"),
        ({"threshold": 0.5, "positive": "yes", "chosen_for": "luck"}, "0.5 for 'luck'"),
    ],
)
def test_a_damaged_decision_is_refused(raw, got):
    with pytest.raises(ArtifactError) as error:
        config({"decision": raw}).decision()
    assert str(error.value) == (
        "fnn/config.json: decision must hold a threshold in (0, 1), a class and a known metric, "
        f"got {got}"
    )


@pytest.mark.parametrize("raw", [3, {"positive": "yes"}, {"threshold": "x", "positive": "yes"}])
def test_a_decision_of_another_shape_is_refused(raw):
    with pytest.raises(ArtifactError, match="decision must hold a threshold"):
        config({"decision": raw}).decision()


def test_decisions_that_do_not_follow_from_the_threshold_are_refused():
    with pytest.raises(ArtifactError) as error:
        replace(predictions([1, 0, 1], DECLARED)).check("p.parquet")
    assert str(error.value) == (
        "p.parquet: y_pred must be what the threshold 0.3 decides, got 2 other decisions"
    )
