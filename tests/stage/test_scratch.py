import os
import re

import filelock
import pytest

from plumbline.errors import ArtifactError
from plumbline.runs.checkpoints import Checkpoints
from plumbline.stage import scratch


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "work" / "train_toy"


def test_the_three_newest_keys_are_kept_and_staged_outputs_are_not(folder):
    for age, key in enumerate(["a", "b", "c", "d"]):
        (folder / key / "fit").mkdir(parents=True)
        os.utime(folder / key, (100 - age, 100 - age))
    (folder / "outs-123" / "data").mkdir(parents=True)
    scratch.claim(folder, "d").release()
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b", "d"]


def test_the_folder_in_use_is_kept_when_a_clock_was_set_back(folder):
    for key in ["a", "b", "c"]:
        (folder / key).mkdir(parents=True)
        os.utime(folder / key, (2**33, 2**33))
    scratch.claim(folder, "own").release()
    left = {path.name for path in folder.iterdir()}
    assert len(left) == 3
    assert "own" in left


def test_a_stage_runs_once_at_a_time(folder):
    message = (
        "train_toy: stage must run once at a time, got another process that runs it; "
        "wait for it or end it"
    )
    with (
        filelock.FileLock(folder.with_name("train_toy.lock")),
        pytest.raises(ArtifactError, match=f"^{re.escape(message)}$"),
    ):
        scratch.claim(folder, "a", patience=0.1)
    scratch.claim(folder, "a").release()


def test_only_a_stage_with_checkpoints_goes_on_with_its_record(tmp_path):
    work, runs = tmp_path / "work", tmp_path / "runs"
    assert scratch.record_to_reopen(work, runs) is None
    scratch.note_record(work, "key")
    (runs / "key").mkdir(parents=True)
    (runs / "key" / "run.json").touch()
    assert scratch.record_to_reopen(work, runs) is None
    Checkpoints(work / "fit").save(1, lambda path: path.write_bytes(b"whole"))
    assert scratch.record_to_reopen(work, runs) == runs / "key"
    (runs / "key" / "run.json").unlink()  # somebody deleted the record
    assert scratch.record_to_reopen(work, runs) is None
