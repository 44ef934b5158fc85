from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import pytest

from plumbline import batch_size, params
from plumbline.errors import ParamsError, TrainingError
from plumbline.training import trial
from tests.prepared_folders import write_table_folder


@pytest.mark.parametrize(
    ("most", "memory", "expected"),
    [
        (6, None, [(1, 110), (2, 120), (4, 140)]),
        (8, None, [(1, 110), (2, 120), (4, 140), (8, 180)]),
        (64, 180, [(1, 110), (2, 120), (4, 140), (8, 180), (16, None)]),
        (64, 100, [(1, None)]),
    ],
)
def test_sizes_are_doubled_until_one_needs_more_than_the_limit(most, memory, expected):
    need = {size: 100 + 10 * size for size in (1, 2, 4, 8, 16)}
    assert list(batch_size.trials(need.get, most=most, memory=memory)) == expected


def test_a_size_for_which_a_gpu_has_no_room_is_the_last_one_tried():
    found = batch_size.trials(lambda size: size if size < 4 else None, most=64, memory=None)
    assert list(found) == [(1, 1), (2, 2), (4, None)]


def test_a_stage_that_trains_nothing_has_no_batch_size(root):
    message = "batch-size: stage must be one of train_fnn, train_rnn, train_cnn, train_gan, "
    with pytest.raises(ParamsError, match=f"^{re.escape(message)}"):
        trial.sized(params.load(root / "params.yaml"), "evaluate@fnn", 8)


@pytest.mark.parametrize("stage", trial.STAGES)
def test_every_training_stage_is_sized_and_short(root, stage):
    block = trial.sized(params.load(root / "params.yaml"), stage, 7)
    settings = getattr(block, "optimisation", block)
    assert settings.batch_size == 7
    assert getattr(settings, "steps", None) or settings.max_epochs == trial.UPDATES + 1


@pytest.fixture
def work(root, tmp_path):
    shutil.copy(root / "params.yaml", tmp_path)
    write_table_folder(tmp_path / "data/prepared/tabular", task="binary")
    return tmp_path


def test_the_real_stage_is_tried_and_leaves_nothing(work, capsys):
    before = sorted(work.rglob("*"))
    assert batch_size.find(work, "train_fnn", most=1, memory=2**40) == 1
    assert re.fullmatch(r" +1  [\d,]+ MiB\n", capsys.readouterr().out)
    assert sorted(work.rglob("*")) == before


def test_a_trial_that_fails_for_another_reason_is_no_limit(work, capsys):
    shutil.rmtree(work / "data")
    message = "train_fnn: trial with batches of 1 must end, got: "
    with pytest.raises(TrainingError, match=f"^{re.escape(message)}"):
        batch_size.find(work, "train_fnn", most=1, memory=None)


def test_no_room_for_a_single_sample_is_an_error(work, capsys):
    message = (
        "train_fnn: batch of one sample must fit, got no room for it; allow more memory or make "
        "the network smaller"
    )
    with pytest.raises(TrainingError, match=f"^{re.escape(message)}$"):
        batch_size.find(work, "train_fnn", most=1, memory=2**20)


@pytest.mark.slow
def test_larger_batches_need_more_memory(root, tmp_path):
    from tests.prepared_folders import write_image_folder

    shutil.copy(root / "params.yaml", tmp_path)
    write_image_folder(tmp_path / "data/prepared/images")
    peaks = []
    for size in (1, 1024):
        # A process begins with the peak of the one that it was forked from: here of a shell, not of
        # all the tests before this one.
        command = '"$0" -m plumbline.training.trial train_gan "$1"; exit $?'
        done = subprocess.run(
            ["sh", "-c", command, sys.executable, str(size)],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        peaks.append(json.loads(done.stdout)["peak"])
    assert peaks[1] > 1.2 * peaks[0]
