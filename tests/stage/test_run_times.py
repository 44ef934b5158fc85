"""Times and memory that earlier runs of the stages took."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from plumbline.runs import dvc_files, provenance, record_files, records
from plumbline.stage import run_times
from tests.toy import Toy


@pytest.fixture
def toy(tmp_path):
    return Toy(tmp_path / "toy", lab=True)


def digests(toy: Toy, name: str) -> dict[str, str]:
    params = dvc_files.stage(toy.folder, name).params
    return provenance.param_digests(dvc_files.raw_params(toy.folder, params))


def ran(toy: Toy, stage: str, took: int, **fields) -> None:
    """Leave the record of a run that took some milliseconds, with the parameters of now."""
    fields = {"param_digests": digests(toy, stage), **fields}
    book = records.open_record(toy.folder, stage, **fields)
    book.close(fields.get("status", records.FINISHED))
    book.update(launched=book.fields["ended"] - took)


def of(toy: Toy, stage: str) -> run_times.Past | None:
    return run_times.read(toy.folder).get(stage)


def test_a_stage_takes_what_it_took_from_the_start_of_its_process(toy):
    began = time.time()
    toy.stage("train_fnn")
    around = time.time() - began
    past = of(toy, "train_fnn")
    (book,) = record_files.read_all(toy.folder)
    record = record_files.read_record(book)
    # The interpreter has started and imported before the record; clock ticks are rounded.
    assert (record["ended"] - record["started"]) / 1000 + 0.05 < past.seconds < around + 0.02
    assert 10 * 2**20 < past.peak_memory < 900 * 2**20
    assert of(toy, "evaluate@fnn") is None


def test_the_latest_finished_run_counts_also_of_a_laboratory(toy):
    for took in (3000, 5000):
        ran(toy, "mitigate@drop", took, peak_memory=7)
    assert of(toy, "mitigate@drop") == run_times.Past(5.0, 7)
    assert of(toy, "mitigate@none") is None


@pytest.mark.parametrize("status", [records.FAILED, records.KILLED])
def test_a_run_that_did_not_finish_says_nothing(toy, status):
    ran(toy, "train_fnn", 5000)
    ran(toy, "train_fnn", 10, status=status)
    assert of(toy, "train_fnn").seconds == 5


def test_restored_outputs_do_not_hide_earlier_runs(toy):
    ran(toy, "train_fnn", 5000)
    (folder,) = records.runs_folder(toy.folder).iterdir()
    folder.rename(folder.with_name(folder.name.replace(f"-{os.getpid()}", "-1")))
    for _ in range(2 * run_times.LOOKED_AT):
        ran(toy, "train_fnn", 10, origin="reference")
    assert of(toy, "train_fnn").seconds == 5


def test_a_run_with_the_same_parameters_comes_before_a_later_one(toy):
    ran(toy, "train_fnn", 5000)
    toy.seed(7)
    ran(toy, "train_fnn", 3000)
    assert of(toy, "train_fnn").seconds == 3
    toy.seed(42)
    assert of(toy, "train_fnn").seconds == 5
    toy.seed(8)
    assert of(toy, "train_fnn").seconds == 3


def test_a_run_that_was_stopped_took_the_time_of_every_attempt():
    """10 s until the first stop, 4 s until the second, 3 s until its end."""
    stops = [{"launched": 0, "ended": 10_000}, {"launched": 50_000, "ended": 54_000}]
    record = {"started": 500, "stops": stops, "launched": 90_000, "ended": 93_000}
    assert run_times.seconds(record) == 17


def test_a_run_that_was_stopped_in_an_earlier_version_says_nothing(toy):
    stops = [{"ended": 10_000}]
    record = {"started": 500, "stops": stops, "launched": 90_000, "ended": 93_000}
    assert run_times.seconds(record) is None
    assert run_times.seconds({"started": 500, "stops": [], "ended": 93_000}) == 92.5


def test_a_clock_that_was_set_back_says_nothing():
    assert run_times.seconds({"started": 500, "launched": 400, "ended": 300}) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"origin": "executed"}', '{"origin": 3}', "7"])
def test_a_damaged_record_is_passed_over(toy, text):
    ran(toy, "train_fnn", 5000)
    ran(toy, "train_fnn", 3000)
    newest = sorted(records.runs_folder(toy.folder).iterdir())[-1]
    (newest / "run.json").write_text(text, encoding="utf-8")
    assert of(toy, "train_fnn").seconds == 5


def test_parameters_that_cannot_be_read_are_left_to_dvc(toy):
    ran(toy, "train_fnn", 5000)
    (toy.folder / "params.yaml").unlink()
    assert of(toy, "train_fnn").seconds == 5


def test_without_records_nothing_is_known(toy):
    assert run_times.read(toy.folder) == {}


def made(root: Path, count: int) -> None:
    """Make records as 60 pipelines leave them: a few stages ran, the others are references."""
    runs = records.runs_folder(root)
    names = list(dvc_files.stages(root))
    stage = {"params": {"block": list(range(300))}, "stops": [], "status": records.FINISHED}
    for number in range(count):
        pipeline, place = divmod(number, len(names))
        name = names[place]
        executed = (pipeline + place) % 12 == 0
        pid = 10_000 + number if executed else 100 + pipeline
        folder = runs / f"20260101T{number:012}-{name.replace('@', '-')}-{pid}"
        folder.mkdir(parents=True)
        fields = {"origin": "executed" if executed else "reference", "stage": name}
        times = {"started": 1, "launched": 0, "ended": 1000 * number}
        text = json.dumps({**stage, **fields, **times, "param_digests": {}}, indent=2)
        (folder / "run.json").write_text(text, encoding="utf-8")


def test_few_of_five_thousand_records_are_opened(root, tmp_path, monkeypatch):
    blocks = [spec.params for spec in dvc_files.stages(root).values()]
    for file in {*dvc_files.files(root), *(file for files in blocks for file in files.values())}:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / file, tmp_path / file)
    made(tmp_path, 5000)
    opened = []
    monkeypatch.setattr(
        run_times.json,
        "loads",
        lambda text: opened.append(1) or json.JSONDecoder().decode(text.decode()),
    )
    found = run_times.read(tmp_path)
    stages = set(dvc_files.stages(root))
    assert set(found) == stages
    # The latest runs of each stage, and one record of each pipeline that restored outputs.
    assert len(opened) <= run_times.LOOKED_AT * len(stages) + -(-5000 // len(stages))
