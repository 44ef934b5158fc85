"""A file is compared with what its model was trained on, whatever its length."""

import pandas as pd
import pytest

from plumbline import artifacts, names
from plumbline.artifacts.models import SIDECAR
from plumbline.errors import DataError
from plumbline.metrics.estimates import MetricOptions
from plumbline.metrics.summary import predictions_to_metrics
from plumbline.monitoring import comparisons, training
from plumbline.monitoring.comparisons import Smallest
from plumbline.monitoring.watch import Options, watch
from plumbline.table_files import parquet
from tests.serving import folders

OPTIONS = Options(0.95, Smallest(0.1, 0.05, 0.1), None, 0)
LABELLED = Options(0.95, Smallest(0.1, 0.05, 0.1), "label", 0)


def new_rows(data, tmp_path, **columns):
    rows = folders.raw_rows(data, names.TRAIN).assign(**columns)
    rows.to_parquet(tmp_path / "new.parquet")
    return tmp_path / "new.parquet"


def run(folder, path, options=OPTIONS, report=None, audit=None):
    return watch(folder, path, options, report=report, audit=audit)


def test_the_training_rows_themselves_have_not_changed(tmp_path, monkeypatch):
    folder, data = folders.fnn(tmp_path)
    monkeypatch.setattr(parquet, "BATCH", 7)
    found = run(folder, new_rows(data, tmp_path))
    assert (found["rows"], found["training_rows"]) == (60, 60)
    assert {line["change"] for line in found["lines"] if line["part"] == "distribution"} == {0.0}
    assert found["verdicts"]["drifted"] == 0
    assert {line["part"] for line in found["lines"]} == {
        "distribution", "missing", "out of range", "group",
    }  # fmt: skip


def test_shifted_rows_have_and_missing_values_are_counted_where_the_model_refuses_them(tmp_path):
    folder, data = folders.fnn(tmp_path)
    path = new_rows(data, tmp_path)
    rows = pd.concat([pd.read_parquet(path)] * 5, ignore_index=True)
    rows["raw weight"] += 60
    rows.loc[:199, "raw height"] = None
    rows.to_parquet(path)
    found = run(folder, path)
    drifted = {(r["part"], r["name"]) for r in found["lines"] if r["verdict"] == "drifted"}
    assert drifted == {
        ("distribution", "raw weight"), ("out of range", "raw weight"), ("missing", "raw height"),
    }  # fmt: skip
    assert found["refused_rows"] == 200
    assert any("200 rows lack a value that the model refuses" in note for note in found["notes"])


def test_labelled_rows_have_the_metrics_of_the_pipeline(tmp_path):
    folder, data = folders.baseline(tmp_path)
    predictions = predict_test(folder, data)
    options = MetricOptions(0.95, 200, 0, neighbours=1, splits=1)
    report = predictions_to_metrics(predictions, options, main_metric=names.AUROC)
    rows = folders.raw_rows(data)
    rows["label"] = rows["y"].map({0: "low", 1: "high"})
    rows.loc[3, "label"] = None
    rows.to_csv(tmp_path / "new.csv", index=False)
    found = run(folder, tmp_path / "new.csv", LABELLED, report)
    assert (found["labelled_rows"], found["measured_rows"], found["test_rows"]) == (19, 19, 20)
    by_name = {(line["part"], line["name"]): line for line in found["lines"]}
    assert by_name["metric", names.AUROC]["reference"] == report["metrics"][names.AUROC]["value"]
    counts = predictions.table["y_pred"].value_counts()
    decided = by_name["decision", "high"]
    assert decided["reference"] == decided["new"] == counts[1] / 20
    labels = rows["label"].value_counts()
    assert by_name["label", "high"]["new"] == labels["high"] / 19
    assert by_name["label", "high"]["reference_rows"] == 60
    assert "Metrics are of 19 of 19 rows with a label." in found["notes"]


def predict_test(folder, data):
    from plumbline.inference.classical import predict_baseline

    return predict_baseline(folder, data)


def test_a_logged_model_needs_no_work_tree(tmp_path):
    folder, data = folders.fnn(tmp_path / "here")
    path = new_rows(data, tmp_path)
    want = run(folder, path)
    (folder / SIDECAR).mkdir()
    for name in ("schema.json", "encoding.json"):
        (folder / SIDECAR / name).write_bytes((data / name).read_bytes())
    training.write(folder / SIDECAR, training.summarise(data))
    for file in data.iterdir():
        file.unlink()
    assert run(folder, path) == want


def test_numbers_and_their_errors_are_compared_too(tmp_path):
    folder, data = folders.baseline(tmp_path, task="regression")
    path = new_rows(data, tmp_path)
    rows = pd.read_parquet(path)
    rows.assign(label=rows["y"] + 500).to_parquet(path)
    report = {"main_metric": names.RMSE, "n": 60,
              "metrics": {names.RMSE: {"value": 5.0, "low": 4.0, "high": 6.0}}}  # fmt: skip
    audit = {"confidence": 0.95, "rows": [
        {"attribute": "sex", "group": "male", "metric": names.MAE, "n": 30, "value": 4.0,
         "low": 3.0, "high": 5.0, "verdict": None}]}  # fmt: skip
    found = run(folder, path, LABELLED, report, audit)
    metrics = {r["name"]: r for r in found["lines"] if r["part"] == comparisons.METRIC}
    assert set(metrics) == {names.RMSE, f"{names.MAE} of sex male"}
    assert all(line["verdict"] == "drifted" for line in metrics.values())
    assert metrics[names.RMSE]["smallest"] == pytest.approx(0.5)  # a tenth of 5
    assert metrics[names.RMSE]["new"] == pytest.approx(500, rel=0.02)


def fault(*arguments, **options):
    with pytest.raises(DataError) as caught:
        run(*arguments, **options)
    return str(caught.value)


def test_what_cannot_be_compared_is_an_error(tmp_path):
    folder, data = folders.fnn(tmp_path)
    path = new_rows(data, tmp_path)
    assert fault(folder, tmp_path / "none.csv").startswith("monitor: file must exist, got none at")
    assert fault(folder, path, LABELLED).startswith(
        "monitor: new.parquet must have the column of the labels, 'label', got ["
    )
    wrong = Options(0.95, Smallest(0.1, 0.7, 0.1), None, 0)
    assert fault(folder, path, wrong) == (
        "monitor: smallest relevant change (share) must be in (0, 0.5), got 0.7; choose another"
    )
    assert "confidence must be in (0, 1), got 1" in fault(
        folder, path, Options(1.0, Smallest(0.1, 0.1, 0.1), None, 0)
    )
    pd.read_parquet(path).drop(columns="raw height").to_parquet(path)
    assert "columns of new.parquet must include ['raw height']" in fault(folder, path)
    pd.DataFrame({"raw weight": [], "raw height": []}).to_parquet(path)
    assert fault(folder, path) == "monitor: new.parquet must have a row, got none"
    images, _ = folders.cnn(tmp_path)
    assert fault(images, path) == (
        "monitor: model must be one of a table, got 'cnn'; images and texts have no columns to "
        "compare"
    )


def test_attributes_that_the_file_lacks_are_named(tmp_path):
    folder, data = folders.fnn(tmp_path)
    path = new_rows(data, tmp_path)
    pd.read_parquet(path).drop(columns="sex").to_parquet(path)
    found = run(folder, path)
    assert "sex: no column of the file, so these groups are not compared." in found["notes"]
    assert "group" not in {line["part"] for line in found["lines"]}
    assert artifacts.dump_json(found)
