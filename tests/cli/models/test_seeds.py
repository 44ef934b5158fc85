"""Seed sensitivity of the network, and the command that prints it."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from scipy import stats

from plumbline import names, params
from plumbline.cli.main import main
from plumbline.cli.models import seeds
from plumbline.errors import ParamsError
from plumbline.inference.classify import predict_classifier
from plumbline.params.apply import apply
from plumbline.runs.fit_context import FitContext
from plumbline.stage.context import derive_seed
from plumbline.training.recipes.tables import fit_fnn
from tests.prepared_folders import write_table_folder


@pytest.fixture
def work(root, tmp_path):
    def make(**changes):
        shutil.copy(root / "params.yaml", tmp_path)
        small = {"hidden": [8], "optimisation": {"max_epochs": 4, "batch_size": 16}, **changes}
        (tmp_path / "small.yaml").write_text(json.dumps({"train_fnn": small}))
        apply(tmp_path / "params.yaml", [tmp_path / "small.yaml"])
        return tmp_path

    return make


@pytest.mark.parametrize(("task", "norm"), [("binary", "batch"), ("regression", "none")])
def test_the_first_seed_has_the_result_of_the_pipeline(work, task, norm):
    root = work(norm=norm)
    data = write_table_folder(root / "data/prepared/tabular", task=task)
    found = seeds.measure(root, count=3, confidence=0.9)
    parameters = params.load(root / "params.yaml")
    seed = derive_seed(parameters.seed, "train@fnn")
    assert [one["seed"] for one in found["seeds"]] == [seed, seed + 1, seed + 2]
    context = FitContext("train@fnn", root / "work", seed, parameters.trainer)
    fit_fnn(parameters.train_fnn, data=data, context=context).save(root / "fnn")
    table = predict_classifier(root / "fnn", data).table
    wrong = table["y_true"] - table["y_pred"]
    alone = (wrong**2).mean() ** 0.5 if task == "regression" else (wrong == 0).mean()
    assert found["seeds"][0]["value"] == pytest.approx(alone, rel=1e-4)
    assert found["quantity"] == (names.RMSE if task == "regression" else names.ACCURACY)
    assert found["rows"] == len(table) == 20


@pytest.mark.parametrize("decision", [0.9, "f1"])
def test_each_seed_decides_by_its_own_threshold(work, decision):
    root = work(
        classification={"class_weights": {"low": 1, "high": 3}, "decision": decision},
        optimisation={"max_epochs": 1, "batch_size": 16},
    )
    data = write_table_folder(root / "data/prepared/tabular")
    found = seeds.measure(root, count=2, confidence=0.9)
    parameters = params.load(root / "params.yaml")
    for one in found["seeds"]:
        work_folder = root / "work" / str(one["seed"])
        context = FitContext("train@fnn", work_folder, one["seed"], parameters.trainer)
        fit_fnn(parameters.train_fnn, data=data, context=context).save(root / "fnn")
        table = predict_classifier(root / "fnn", data).table
        assert one["value"] == pytest.approx((table["y_true"] == table["y_pred"]).mean())


def test_the_interval_is_students_over_the_seeds(work):
    root = work()
    write_table_folder(root / "data/prepared/tabular", task="regression")
    found = seeds.measure(root, count=4, confidence=0.9)
    values = [one["value"] for one in found["seeds"]]
    assert len(set(values)) == 4
    peer = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert found["interval"] == pytest.approx([peer.low, peer.high])
    assert found["mean"] == pytest.approx(sum(values) / 4)
    assert found["standard_deviation"] == pytest.approx(stats.tstd(values))


def test_the_command_prints_mean_interval_and_spread_and_writes_every_seed(work, capsys, tmp_path):
    root = work()
    write_table_folder(root / "data/prepared/tabular")
    out = tmp_path / "seeds.json"
    words = ["seeds", "fnn", "--root", str(root), "--seeds", "3", "--out", str(out)]
    assert main(words) == 0
    said = capsys.readouterr()
    number = r"-?[\d.]+(e-\d+)?"
    assert re.fullmatch(
        rf"fnn, made_up, 20 test rows, 3 seeds: accuracy {number}, 95% interval over seeds "
        rf"{number} to {number}\n"
        rf"one seed: standard deviation {number}, from {number} to {number}; the pipeline's own "
        rf"{number}\n"
        r"the interval covers the mean over all seeds, on these test rows; .*\n",
        said.out,
    )
    first = out.read_bytes()
    assert len(json.loads(first)["seeds"]) == 3
    assert main(words) == 0
    assert out.read_bytes() == first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 1, "confidence": 0.9}, "seeds: --seeds must be >= 2, got 1; one seed has no "
         "spread"),
        ({"count": 2, "confidence": 95}, "seeds: --confidence must be in (0, 1), got 95"),
    ],
)  # fmt: skip
def test_what_gives_no_interval_is_refused(tmp_path, options, message):
    with pytest.raises(ParamsError, match=f"^{re.escape(message)}$"):
        seeds.measure(tmp_path, **options)
