"""What lines of stages tell, and how they are shown."""

import pytest

from plumbline.stage.scheduler.display import text


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "train@backbone: epoch 1/7   14 %  val/loss 1.597  at most 28 s left",
            ("epoch 1/7  val/loss 1.597  at most 28 s left", 0.14),
        ),
        ("train@backbone: epoch 7/7  100 %  val/loss 1.5", ("epoch 7/7  val/loss 1.5", 1.0)),
        ("train@gan: epoch 2/4", ("epoch 2/4", None)),
        ("baseline: 3 of 12 settings, 40 s", ("baseline: 3 of 12 settings, 40 s", 0.25)),
        ("get:  45%|####5     | 45/100 [00:10<00:12]", ("45/100 [00:10<00:12]", 0.45)),
    ],
)
def test_lines_of_progress_are_read(line, told):
    assert text.progress(line) == told


@pytest.mark.parametrize(
    "line",
    [
        "",
        "census: 5 of 200 rows have no label",
        "train@fnn: loss must be finite, got nan (epoch 3); lower the learning rate",
        "40 % of the rows are missing",
        "done: 100 %",
    ],
)
def test_any_other_line_is_news(line):
    assert text.progress(line) is None


def test_a_result_is_what_was_reached():
    told = text.progress("train@fnn: epoch 5/7   71 %  val/loss 1.5  at most 8 s left")
    assert told.result == "epoch 5/7  val/loss 1.5"


def test_nothing_that_a_terminal_obeys_is_shown():
    line = "\x1b[1;31mred\x1b[0m\x1b[2J\tand\x07 \u202ehidden\x1b]0;title\x07"
    assert text.clean(line) == r"red and\x07 \u202ehidden\x1b]0;title\x07"


def test_a_line_names_its_stage_once():
    assert text.with_stage("train@fnn", "train@fnn: too high") == "train@fnn: too high"
    assert text.with_stage("train@fnn", "Traceback") == "train@fnn: Traceback"
    assert text.with_stage("", "Generating lock file") == "Generating lock file"


def test_short_times_are_not_announced():
    assert [text.about(value) for value in (None, 0.4, 40)] == ["", "", "about 0:40"]
