"""The trials of the sources: examples that fit, and a table that says what the runs say."""

import importlib.util
import json
import sys

import pytest
import yaml

from plumbline import artifacts, params
from plumbline.params.apply import merge
from tests.conftest import ROOT


def load():
    spec = importlib.util.spec_from_file_location("sources", ROOT / "benchmarks/sources.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["sources"] = module
    spec.loader.exec_module(module)
    return module


sources = load()
READY = {trial.source: trial.ready for trial in sources.TRIALS if trial.ready}


def read(path):
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("trial", sources.TRIALS, ids=lambda trial: trial.source)
def test_what_a_trial_lays_over_the_parameters_is_valid_and_about_its_data_set(trial):
    blocks = [*sources.STAY, *(block for each in sources.BLOCKS.values() for block in each)]
    smaller = sources.parameters(ROOT / "tests/reduced.yaml", blocks)
    shared = merge(read("params.yaml"), smaller)
    whole = sources.parameters(ROOT / "params.yaml", sources.BLOCKS[trial.dataset])
    laid = merge(merge(shared, whole), read(f"examples/{trial.source}.yaml"))
    found = params.check(merge(laid, trial.less))
    block = getattr(found, f"data_{trial.dataset}")
    own = {"folder": "data/raw/"} if trial.dataset == "images" else {}
    assert block.source in (trial.source, *own)
    # Of its own models nothing is smaller than the example or the parameters say.
    for name in sources.BLOCKS[trial.dataset]:
        if name not in trial.less and not name.startswith("data_"):
            example = read(f"examples/{trial.source}.yaml").get(name, {})
            assert laid[name] == merge(read("params.yaml")[name], example)


def test_speeches_become_records_with_their_speaker_and_digest(tmp_path):
    raw = tmp_path / "data/raw/tinyshakespeare/input.txt"
    artifacts.write_text(raw, "A:\nOne,\ntwo.\n\nno speech\n\nB C:\nThree: four.\n")
    layer = READY["file"](tmp_path)
    path = tmp_path / "data/raw/mine/letters.jsonl"
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"author": "A", "body": "One,\ntwo."},
        {"author": "B C", "body": "Three: four.\n"},
    ]
    assert layer["data_text"]["file"]["sha256"] == artifacts.digest(path)


def test_the_publishers_validation_part_is_the_test_split_of_the_clothes(tmp_path):
    folder = tmp_path / "data/raw/clothing_small"
    for name in ("train/hat/b.jpg", "train/dress/a.jpg", "validation/hat/c.jpg"):
        artifacts.write_text(folder / name, "")
    assert READY["clothing_small"](tmp_path) == {}
    assert (folder / "table.csv").read_text().splitlines() == [
        "path,label,split",
        "train/dress/a.jpg,dress,",
        "train/hat/b.jpg,hat,",
        "validation/hat/c.jpg,hat,test",
    ]


def test_the_table_holds_every_figure_with_its_interval():
    cell = {"value": 0.75, "low": 0.7, "high": 0.8}
    model = {
        "model": "fnn",
        "figures": {"auroc": cell, "accuracy": {**cell, "low": None}},
        "majority": 0.6,
        "verdicts": {"difference": 1, "equivalent": 4, "inconclusive": 2, "insufficient": 3},
    }
    trial = {
        "source": "iris",
        "less": {"train_gan": {"steps": 2}},
        "seconds": 90.0,
        "rows": {"train": 1000, "val": 20, "test": 30},
        "models": [model, {**model, "model": "baseline", "majority": None}],
    }
    lines = sources.page([trial]).splitlines()
    assert (
        "| [iris](../examples/iris.yaml) | 1,000 / 20 / 30 | 1.5 | fnn | "
        r"auroc 0.750 \[0.700, 0.800\]; accuracy 0.750 | 0.600 | 1 / 4 / 2 / 3 |"
    ) in lines
    assert any(line.startswith("|  |  |  | baseline |") for line in lines)
    others = [trial.source for trial in sources.TRIALS if trial.source != "iris"]
    assert f"Not run in this way yet: {', '.join(others)}." in lines
    assert 'Less than the example, to save time: `iris`: `{"train_gan": {"steps": 2}}`.' in lines
