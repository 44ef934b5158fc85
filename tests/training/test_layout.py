"""The probe of memory layouts."""

from __future__ import annotations

import pytest

from plumbline import cli
from plumbline.training import layout


def test_both_layouts_are_timed_at_training_and_inference(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["layout", "test_resnet", "--image-size", "32", "--channels", "1", "--batch-size", "2"]
    assert cli.main(words) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in told] == ["train", "infer", "memory_format"]
    assert all("contiguous" in line and "channels_last" in line for line in told[:2])


def test_the_layout_named_is_the_one_that_trains_faster() -> None:
    found = {
        "train": {"contiguous": 0.2, "channels_last": 0.1},
        "infer": {"contiguous": 0.1, "channels_last": 0.2},
    }
    assert layout.report(found, batch_size=4).splitlines() == [
        "train: contiguous 20, channels_last 40 images/s",
        "infer: contiguous 40, channels_last 20 images/s",
        "memory_format: channels_last",
    ]


def test_an_unknown_architecture_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    assert cli.main(["layout", "resnet_of_my_own"]) == 2
    assert "architecture must be one that timm has, got 'resnet_of_my_own'" in caplog.text
