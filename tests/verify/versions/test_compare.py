import json
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from plumbline import artifacts
from plumbline.cli import main
from plumbline.errors import ArtifactError
from plumbline.metrics.summary import predictions_to_metrics
from plumbline.runs import dvc_files
from plumbline.verify.versions import compare, find, show
from tests.metrics.comparison.test_differences import OPTIONS, classified
from tests.toy import Toy

ROWS = 200


@pytest.fixture(scope="module")
def tables():
    """Predictions of the same rows: half right, nearly the same, and all right."""
    y = np.arange(ROWS) % 2
    draw = np.random.default_rng(0)
    poor = draw.uniform(0.3, 0.7, ROWS)
    near = np.clip(poor + draw.normal(0, 1e-3, ROWS), 0, 1)
    good = np.where(y == 1, 0.9, 0.1)
    return {
        name: classified("fnn", y, np.column_stack([1 - p, p]))
        for name, p in (("poor", poor), ("near", near), ("good", good))
    }


@pytest.fixture
def model(tables, tmp_path):
    """Make a version of the model from one of the tables."""

    def make(name: str, **fields) -> find.ModelVersion:
        path = tmp_path / f"{name}.parquet"
        tables[name].write(path)
        report = {"main_metric": "auroc", **predictions_to_metrics(tables[name], OPTIONS)}
        digest = dvc_files.content_hash(path)
        made = find.ModelVersion({"lr": name}, report, {}, path, digest, "PASS")
        return replace(made, **fields)

    return make


def versions(a, b, **others):
    return find.Version("main", {"fnn": a, **others}), find.Version("wide", {"fnn": b})


def row(found, quantity):
    (each,) = found["models"]
    return next(one for one in each["differences"] if one["quantity"] == quantity)


def test_a_difference_is_paired_and_its_verdict_says_whether_it_is_noise(model):
    found = compare.compare(*versions(model("poor"), model("near")), OPTIONS)
    assert row(found, "auroc")["verdict"] == "within noise"
    better = compare.compare(*versions(model("poor"), model("good")), OPTIONS)
    accuracy = row(better, "accuracy")
    assert accuracy["b"] == 1.0
    assert accuracy["value"] == pytest.approx(1 - accuracy["a"], abs=1e-9)
    assert accuracy["low"] > 0
    assert accuracy["verdict"] == "better"
    brier = row(better, "brier")  # less of it is better
    assert brier["value"] < 0
    assert brier["verdict"] == "better"
    worse = compare.compare(*versions(model("good"), model("poor")), OPTIONS)
    assert row(worse, "accuracy")["verdict"] == "worse"
    assert row(worse, "accuracy")["value"] == pytest.approx(-accuracy["value"])
    assert better["models"][0]["params"] == [{"name": "lr", "a": "poor", "b": "good"}]


def test_equal_predictions_are_called_identical_without_being_measured(model):
    found = compare.compare(*versions(model("poor"), model("poor", predictions=None)), OPTIONS)
    (each,) = found["models"]
    assert (each["identical"], each["differences"], each["params"]) == (True, [], [])


def test_without_a_table_values_are_compared_but_not_paired(model):
    found = compare.compare(*versions(model("poor"), model("good", predictions=None)), OPTIONS)
    (each,) = found["models"]
    assert each["reason"] == "a predictions table is not in DVC's cache; dvc fetch brings it"
    assert {one["verdict"] for one in each["differences"]} == {"not paired"}
    assert row(found, "accuracy")["value"] > 0


def test_versions_without_a_common_model_are_refused(model):
    a = find.Version("main", {"fnn": model("poor")})
    with pytest.raises(ArtifactError) as caught:
        compare.compare(a, find.Version("wide"), OPTIONS)
    assert str(caught.value) == (
        "compare: versions must share a model, got fnn in main and none in wide"
    )


def test_markdown_holds_a_table_and_escapes_what_would_format(model):
    gap = {"metric": "accuracy", "attribute": "a|b", "value": 0.25, "low": 0, "high": 1}
    audit = {"worst": {**gap, "verdict": "difference"}}
    found = compare.compare(*versions(model("poor", audit=audit), model("good")), OPTIONS)
    text = show.markdown(found)
    assert text.startswith("### Results: main → wide\n\n**fnn**\n")
    assert "Parameters that differ: lr: poor → good." in text
    assert "Largest gap: 0.25 accuracy by a\\|b (difference) → none." in text
    assert (
        "| metric | main | wide | difference \\[95%\\] | verdict |\n|---|---|---|---|---|" in text
    )
    assert any(
        line.startswith("| accuracy | ") and line.endswith("| better |")
        for line in text.splitlines()
    )


# --- where versions come from, in a repository with one lock and one table in DVC's cache ---------


@pytest.fixture
def toy(tmp_path) -> Toy:
    folder = tmp_path / "toy"
    folder.mkdir()
    return Toy(folder)


@pytest.fixture
def repository(toy, tables):
    """A repository with two commits, and the table of each in DVC's cache."""
    for name in ("poor", "good"):
        write(toy, tables[name], name)
        toy.commit()
    return toy


def write(toy, table, name: str) -> None:
    path = toy.folder / "data/predictions/fnn.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    table.write(path)
    digest = dvc_files.content_hash(path)
    cached = dvc_files.cached(toy.folder, digest)
    cached.parent.mkdir(parents=True, exist_ok=True)
    cached.write_bytes(path.read_bytes())
    report = {"main_metric": "auroc", **predictions_to_metrics(table, OPTIONS)}
    artifacts.write_json(toy.folder / "reports/metrics/fnn.json", report)
    (toy.folder / "dvc.lock").write_text(
        f"""
schema: '2.0'
stages:
  train_fnn:
    cmd: x
    params: {{params.yaml: {{train_fnn: {{hidden: {name}}}}}}}
    outs: [{{path: data/models/fnn, md5: {name}}}]
  evaluate@fnn:
    cmd: x
    outs: [{{path: data/predictions/fnn.parquet, md5: {digest}}}]
"""
    )


def test_revisions_and_the_work_tree_are_compared_by_their_locks(repository, capsys):
    words = ["compare", "HEAD~1", "workspace", "--root", str(repository.folder)]
    assert main.main([*words, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (each,) = found["models"]
    assert each["params"] == [{"name": "hidden", "a": "poor", "b": "good"}]
    assert row(found, "accuracy")["verdict"] == "better"
    assert (each["gate"], found["only"]) == ({"a": "not run", "b": "not run"}, {"a": [], "b": []})
    assert main.main(words) == 0
    assert "Parameters that differ: hidden: poor → good." in capsys.readouterr().out


def test_an_experiment_is_found_by_its_name(repository):
    commit = repository.run("git", "rev-parse", "HEAD~1").stdout.strip()
    ref = f"refs/exps/{commit[:2]}/{commit[2:]}/small"
    subprocess.run(["git", "update-ref", ref, commit], cwd=repository.folder, check=True)
    assert find.find(repository.folder, "small").models["fnn"].params["hidden"] == "poor"


def test_a_word_that_names_nothing_is_refused(repository, caplog):
    words = ["compare", "HEAD", "nothing", "--root", str(repository.folder)]
    assert main.main(words) != 0
    assert caplog.messages[-1] == (
        "compare: version must be workspace, a git revision, a DVC experiment, the id of an MLflow "
        "run or models:/<name>@<alias>, got 'nothing'; dvc exp show lists experiments"
    )
