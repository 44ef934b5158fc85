"""Runs of a real store are compared by their ids, as their revisions would be."""

import json
import shutil

import numpy as np
import pytest

from plumbline import artifacts
from plumbline.cli import main
from plumbline.errors import ArtifactError
from plumbline.metrics.summary import predictions_to_metrics
from plumbline.tracking import sync
from plumbline.tracking.model_runs.fetch import fetch_models
from plumbline.verify.versions import compare, find
from tests.metrics.comparison.test_differences import OPTIONS, classified

FIRST, SECOND = 42, 7  # seeds, and what the toy's evaluation finds with them
EVALUATE = """
import shutil
from pathlib import Path

from plumbline import stage


def main(run):
    for kind, out in (("parquet", "data/predictions/fnn"), ("json", "reports/metrics/fnn")):
        found = Path("tables") / f"{run.params.seed}.{kind}"
        shutil.copyfile(found, run.out(Path(f"{out}.{kind}")))


if __name__ == "__main__":
    stage.execute(main)
"""


@pytest.fixture
def compared(toy, view):
    """Two pipelines whose predictions, of the same rows, are half right and all right."""
    y = np.arange(200) % 2
    poor = np.random.default_rng(0).uniform(0.3, 0.7, len(y))
    for seed, p in ((FIRST, poor), (SECOND, np.where(y == 1, 0.9, 0.1))):
        table = classified("fnn", y, np.column_stack([1 - p, p]))
        table.write(toy.folder / "tables" / f"{seed}.parquet")
        report = {"model": "fnn", "main_metric": "auroc", "split": "test",
                  **predictions_to_metrics(table, OPTIONS)}  # fmt: skip
        artifacts.write_json(toy.folder / "tables" / f"{seed}.json", report)
    (toy.folder / "pipelines/evaluate.py").write_text(EVALUATE)
    for seed in (FIRST, SECOND):
        toy.seed(seed)
        toy.repro()
        toy.commit()
    sync.sync(toy.folder)
    return toy


def told(capsys, root, *words: str) -> dict:
    assert main.main(["compare", *words, "--root", str(root), "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_model_runs_and_pipeline_runs_are_compared_as_their_commits_are(compared, view, capsys):
    runs = [run.info.run_id for run in view().model_runs()]
    pipelines = [r.info.run_id for r in view().runs() if "plumbline.pipeline" in r.data.tags]
    found = told(capsys, compared.folder, *runs)
    (model,) = found["models"]
    assert model["params"] == [{"name": "seed", "a": str(FIRST), "b": str(SECOND)}]
    accuracy = next(row for row in model["differences"] if row["quantity"] == "accuracy")
    assert (accuracy["b"], accuracy["verdict"]) == (1.0, "better")
    assert accuracy["low"] > 0
    assert (model["gate"], model["reason"]) == ({"a": "not run", "b": "not run"}, "")
    assert told(capsys, compared.folder, *pipelines)["models"] == [model]
    assert told(capsys, compared.folder, "HEAD~1", "HEAD")["models"] == [model]
    assert told(capsys, compared.folder, runs[0], "HEAD")["models"] == [model]


def test_a_run_without_its_table_is_compared_by_its_report_and_one_without_a_model_refused(
    compared, view
):
    shutil.rmtree(compared.folder / ".dvc/cache")
    first, second = (find.find(compared.folder, r.info.run_id) for r in view().model_runs())
    (model,) = compare.compare(first, second, OPTIONS)["models"]
    assert first.models["fnn"].predictions is None  # the second one's is in the work tree
    assert second.models["fnn"].predictions is not None
    assert model["reason"] == "a predictions table is not in DVC's cache; dvc fetch brings it"
    assert {row["verdict"] for row in model["differences"]} == {"not paired"}
    stage = next(run for run in view().runs() if run.info.run_name == "train_fnn")
    with pytest.raises(ArtifactError) as caught:
        fetch_models(compared.folder, stage.info.run_id)
    assert str(caught.value) == (
        f"compare: run {stage.info.run_id} must be a model run or a pipeline that made some, got "
        "train_fnn; plumbline ui lists the runs of all models"
    )


def test_a_run_that_is_not_in_the_store_is_refused(home):
    with pytest.raises(ArtifactError) as caught:
        fetch_models(home, "0" * 32)
    assert str(caught.value).startswith(f"compare: run {'0' * 32} must be in the store sqlite:///")
