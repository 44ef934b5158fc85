"""Commands that use trained models."""

import numpy as np
import pandas as pd
import pytest

from plumbline import artifacts
from plumbline.cli.main import main
from plumbline.inference.classify import predict_classifier
from tests.serving import folders


@pytest.mark.parametrize("decision", [False, True])
def test_predict_writes_scores_and_says_what_was_decided_and_how(tmp_path, capsys, decision):
    folder, data = folders.fnn(tmp_path, decision=decision)
    rows, out = tmp_path / "rows.csv", tmp_path / "found.parquet"
    folders.raw_rows(data).to_csv(rows, index=False)
    assert main(["predict", "fnn", str(rows), "--root", str(tmp_path), "--out", str(out)]) == 0
    found = pd.read_parquet(out)
    want = predict_classifier(folder, data).scores()
    np.testing.assert_allclose(found["score_high"], want[:, 1], rtol=1e-6)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"20 predictions in {out}"
    counts = found["decision"].value_counts().sort_index().items()
    assert said[1] == "decisions: " + ", ".join(f"{name} {count}" for name, count in counts)
    assert said[2] == (
        "'high' is decided where its probability is at least 0.9, a declared threshold."
        if decision
        else "The most probable class is decided."
    )


def test_predict_takes_a_folder_and_the_dialect_of_a_csv(tmp_path):
    folder, data = folders.fnn(tmp_path)
    rows, out = tmp_path / "rows.csv", tmp_path / "found.parquet"
    folders.raw_rows(data).to_csv(rows, index=False, sep=";", decimal=",")
    assert main(["predict", str(folder), str(rows), "--decimal", ",", "--out", str(out)]) == 0
    assert len(pd.read_parquet(out)) == 20


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("fnn", "predict: model 'fnn' must be trained, got nothing in data/models/fnn; run "
         "plumbline repro train@fnn"),
        ("lm", "predict: model must be one of baseline, fnn, "),
        ("models:/m-1", "predict: model models:/m-1 must be in the store "),
    ],
)  # fmt: skip
def test_a_model_that_is_not_there_is_an_error(tmp_path, monkeypatch, caplog, model, message):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert main(["predict", model, "rows.csv", "--root", str(tmp_path)]) == 4
    assert caplog.records[-1].getMessage().startswith(message)
    assert not list(tmp_path.iterdir())


def test_predict_adds_the_reliability_of_the_group_or_says_that_there_is_no_audit(tmp_path, caplog):
    _, data = folders.fnn(tmp_path)
    rows, out = tmp_path / "rows.csv", tmp_path / "found.parquet"
    folders.raw_rows(data).to_csv(rows, index=False)
    asked = ["predict", "fnn", str(rows), "--root", str(tmp_path), "--out", str(out)]
    assert main([*asked, "--reliability"]) == 4
    assert caplog.records[-1].getMessage() == (
        "predict: audit of fnn must be beside the model for --reliability, got none in "
        "reports/audits; run plumbline repro audit@fnn, or predict without it"
    )
    row = {"attribute": "sex", "group": "male", "metric": "accuracy", "n": 50, "value": 0.8,
           "low": 0.7, "high": 0.9, "verdict": None}  # fmt: skip
    audit = {"model": "fnn", "attributes": ["sex"], "rows": [row], "left_out": []}
    artifacts.write_json(tmp_path / "reports/audits/fnn.json", audit)
    assert main([*asked, "--reliability"]) == 0
    found = pd.read_parquet(out)
    assert found["reliability_sex_accuracy"].dropna().unique().tolist() == [0.8]
    assert found["reliability_sex_group"].notna().sum() == 10
