import os
from pathlib import Path

import pytest

from plumbline.runs import record_files, records


def begin(root: Path, **fields) -> records.RunRecord:
    return records.open_record(root, "train_fnn", **fields)


def test_a_run_is_two_files_that_say_what_it_is_and_how_it_ended(tmp_path):
    book = begin(tmp_path, params={"seed": 1})
    book.metrics({"train/loss": 0.5}, step=3)
    book.update(params={"fnn": 2}, artifacts=["a"], model={"path": "m"})
    book.update(artifacts=["b"])
    book.close(records.FAILED, "why")
    record = record_files.read_record(book.folder)
    assert record["params"] == {"seed": 1, "fnn": 2}
    assert record["artifacts"] == ["a", "b"]
    assert (record["status"], record["error"], record["model"]) == ("FAILED", "why", {"path": "m"})
    assert record["ended"] >= record["started"]
    lines, _ = record_files.read_metrics(book.folder)
    assert [(line["k"], line["v"], line["s"]) for line in lines] == [("train/loss", 0.5, 3)]
    assert record_files.read_all(tmp_path) == [book.folder]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), None])
def test_a_value_that_is_not_finite_is_kept_as_undefined(tmp_path, value):
    book = begin(tmp_path)
    book.metrics({"val/loss": value}, step=0)
    assert [line["v"] for line in record_files.read_metrics(book.folder)[0]] == [None]


def test_metrics_are_readable_while_the_run_goes_on_and_from_where_one_stopped(tmp_path):
    book = begin(tmp_path)
    book.metrics({"a": 1}, step=0)
    first, offset = record_files.read_metrics(book.folder)
    book.metrics({"a": 2}, step=1)
    second, end = record_files.read_metrics(book.folder, offset)
    assert [line["v"] for line in first + second] == [1, 2]
    assert record_files.read_metrics(book.folder, end) == ([], end)


def test_a_line_torn_by_a_kill_is_left_alone(tmp_path):
    book = begin(tmp_path)
    book.metrics({"a": 1}, step=0)
    _, offset = record_files.read_metrics(book.folder)
    with (book.folder / "metrics.jsonl").open("a") as stream:
        stream.write('{"k": "a", "v": 2')
    assert record_files.read_metrics(book.folder, offset) == ([], offset)


def test_a_record_without_metrics_has_none(tmp_path):
    assert record_files.read_metrics(tmp_path, 7) == ([], 7)


def test_a_temporary_experiment_writes_to_the_main_work_tree(tmp_path):
    inside = tmp_path / ".dvc/tmp/exps/standalone/tmp1234"
    inside.mkdir(parents=True)
    assert records.runs_folder(inside) == tmp_path / ".plumbline/runs"
    assert records.runs_folder(tmp_path) == tmp_path / ".plumbline/runs"


def test_kept_files_stay_as_they_were_when_outputs_are_replaced(tmp_path):
    book = begin(tmp_path)
    for name in ("one.txt", "folder/two.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("old")
    book.keep(tmp_path / "one.txt", "reports/one.txt")
    book.keep(tmp_path / "folder", "data/folder")
    fresh = tmp_path / "fresh"
    fresh.write_text("new")
    os.replace(fresh, tmp_path / "one.txt")
    assert (book.folder / "files/reports/one.txt").read_text() == "old"
    assert (book.folder / "files/data/folder/two.txt").read_text() == "old"


def test_an_edit_of_a_report_in_place_leaves_its_kept_copy_alone(tmp_path):
    book = begin(tmp_path)
    (tmp_path / "card.md").write_text("measured")
    book.keep(tmp_path / "card.md", "card.md")
    with (tmp_path / "card.md").open("r+") as stream:
        stream.write("EDITED!!")
    assert (book.folder / "files/card.md").read_text() == "measured"


def test_files_are_copied_where_the_kernel_cannot(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("two file systems")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    book = begin(tmp_path)
    (tmp_path / "a").write_text("text")
    book.keep(tmp_path / "a", "a")
    assert (book.folder / "files/a").read_text() == "text"


@pytest.fixture
def stopped(tmp_path):
    book = records.open_record(tmp_path, "train_fnn", tags={"git.commit": "one", "kept": "yes"})
    book.metrics({"a": 0.1, "b": None}, step=1)
    book.close(records.KILLED, "stopped: interrupted")
    return book


def test_a_run_that_goes_on_keeps_how_it_was_stopped(stopped):
    again = records.RunRecord.reopen(stopped.folder, tags={"git.commit": "two"}, seed=7)
    found = record_files.read_record(stopped.folder)
    assert found == again.fields
    assert (found["status"], found["error"], found["ended"]) == ("RUNNING", None, None)
    assert (found["attempts"], found["pid"], found["seed"]) == (2, os.getpid(), 7)
    assert found["tags"] == {"git.commit": "two", "kept": "yes"}
    (stop,) = found["stops"]
    assert (stop["status"], stop["error"]) == ("KILLED", "stopped: interrupted")
    assert stop["launched"] == stopped.fields["launched"] <= stop["ended"]
    assert stop["ended"] == stopped.fields["ended"]
    assert (found["key"], found["started"]) == (stopped.fields["key"], stopped.fields["started"])


def test_the_largest_peak_of_all_attempts_is_kept(stopped):
    peaks = []
    for peak in (300, 200, 0, 400):
        again = records.RunRecord.reopen(stopped.folder)
        again.close(records.KILLED, "stopped: interrupted", peak_memory=peak)
        peaks.append(record_files.read_record(stopped.folder)["peak_memory"])
    assert peaks == [300, 300, 300, 400]


def test_a_run_killed_without_a_word_goes_on_from_a_failure(tmp_path):
    book = records.open_record(tmp_path, "train_fnn", pid=2**22, pid_started=1.0)
    again = records.RunRecord.reopen(book.folder)
    (stop,) = again.fields["stops"]
    assert (stop["status"], stop["error"]) == ("FAILED", records.DIED)
    again.close(records.KILLED, "stopped")
    third = records.RunRecord.reopen(book.folder)
    assert (third.fields["attempts"], len(third.fields["stops"])) == (3, 2)


def test_a_torn_line_is_cut_off_and_no_value_is_written_twice(stopped, caplog):
    path = stopped.folder / "metrics.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"k": "c", "v": 0.')
    again = records.RunRecord.reopen(stopped.folder)
    assert path.read_bytes() == whole
    again.metrics({"a": 0.1, "b": None, "c": 0.3}, step=1)
    again.metrics({"a": 0.1}, step=2)
    rows, _ = record_files.read_metrics(stopped.folder)
    assert [(row["k"], row["s"], row["v"]) for row in rows] == [
        ("a", 1, 0.1), ("b", 1, None), ("c", 1, 0.3), ("a", 2, 0.1),
    ]  # fmt: skip
    assert caplog.messages == []


def test_a_value_that_is_not_what_it_was_before_the_stop_is_named(stopped, caplog):
    again = records.RunRecord.reopen(stopped.folder)
    again.metrics({"a": 0.2}, step=1)
    assert caplog.messages == [
        "train_fnn: a at step 1 must be what it was before the stop, got 0.2 for 0.1"
    ]
    assert record_files.read_metrics(stopped.folder)[0][0]["v"] == 0.1


def test_a_pipeline_sees_a_run_as_it_was_stopped_in_it(stopped):
    first = record_files.read_record(stopped.folder)["pipeline"]
    record = {**record_files.read_record(stopped.folder), "outs": {"x": "1"}}
    later = {**first, "key": "later"}
    stop = {"status": "KILLED", "error": "why", "ended": 5, "pipeline": first}
    record |= {"status": "FINISHED", "stops": [stop], "pipeline": later}
    assert records.pipelines(record) == [first["key"], "later"]
    seen = records.within(record, first["key"])
    assert (seen["status"], seen["error"], seen["outs"], seen["moved"]) == (
        "KILLED", "why", {}, True,
    )  # fmt: skip
    assert records.within(record, "later") == {**record, "moved": False}
