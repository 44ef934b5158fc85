import subprocess
import sys
import time
from pathlib import Path

import pytest

from plumbline.runs import record_files, records


def begin(root: Path) -> records.RunRecord:
    return records.open_record(root, "train_fnn")


@pytest.mark.parametrize("content", [b"", b'{"key": "torn', b"[]", b'{"key": "k"}', b"\xff\xfe"])
def test_a_damaged_record_is_put_aside_and_named_and_the_others_are_read(tmp_path, caplog, content):
    damaged, whole = begin(tmp_path), begin(tmp_path)
    assert record_files.read_all(tmp_path) == [damaged.folder, whole.folder]
    (damaged.folder / "run.json").write_bytes(content)
    assert record_files.read_all(tmp_path) == [whole.folder]
    assert damaged.folder.name in caplog.text
    aside = tmp_path / ".plumbline/damaged" / damaged.folder.name / "run.json"
    assert aside.read_bytes() == content


def test_a_summary_tells_pipelines_and_work_tree_and_reads_only_what_was_written_since(
    tmp_path, monkeypatch
):
    books = [begin(tmp_path) for _ in range(3)]
    read = []
    plain = record_files.read_record

    def noted(folder):
        read.append(folder)
        return plain(folder)

    monkeypatch.setattr(record_files, "read_record", noted)
    found = record_files.summaries(tmp_path)
    assert list(found) == read == [book.folder for book in books]
    assert [one.pipelines for one in found.values()] == [
        [book.fields["pipeline"]["key"]] for book in books
    ]
    assert {record_files.tree_at(tmp_path, one.root) for one in found.values()} == {tmp_path}
    books[1].update(tags={"a": "b"})
    assert record_files.summaries(tmp_path) == found
    assert read[3:] == [books[1].folder]


def test_lines_of_metrics_without_sense_are_skipped_and_counted(tmp_path, caplog):
    book = begin(tmp_path)
    book.metrics({"a": 1}, step=0)
    with (book.folder / "metrics.jsonl").open("ab") as stream:
        stream.write(b"\x00\x00 garbage\n[1]\n")
    book.metrics({"a": 2}, step=1)
    assert [line["v"] for line in record_files.read_metrics(book.folder)[0]] == [1, 2]
    assert "got 2 that are not" in caplog.text


@pytest.fixture
def clock(monkeypatch):
    """Set the clock that run records are written by, in seconds."""
    return lambda seconds: monkeypatch.setattr(time, "time_ns", lambda: seconds * 10**9)


def test_records_are_in_the_order_in_which_they_were_begun_whatever_the_clock(tmp_path, clock):
    folders = []
    for now in (3000, 2000, 2000, 1000):
        clock(now)
        folders.append(records.open_record(tmp_path, f"stage{len(folders)}").folder)
    assert record_files.read_all(tmp_path) == folders
    assert sorted(folders) != folders


def test_numbers_go_on_after_their_counter_is_lost_or_torn(tmp_path):
    first = records.open_record(tmp_path, "a")
    reopened = records.RunRecord.reopen(first.folder)
    assert [stop["number"] for stop in reopened.fields["stops"]] == [1]
    assert reopened.fields["number"] == 2
    for content in (None, b"", b"x", b"\xff"):
        counter = tmp_path / ".plumbline/number"
        counter.unlink() if content is None else counter.write_bytes(content)
        assert record_files.next_number(tmp_path) == 3


def test_numbers_of_processes_that_ask_at_the_same_time_differ(tmp_path):
    program = (
        "import sys, pathlib; from plumbline.runs import record_files; "
        "[print(record_files.next_number(pathlib.Path(sys.argv[1]))) for _ in range(20)]"
    )
    racers = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    told = [int(line) for racer in racers for line in racer.communicate()[0].split()]
    assert sorted(told) == list(range(1, 61))


def test_attempts_are_placed_by_number_and_those_of_earlier_versions_by_time():
    stops = [{"ended": 20, "pipeline": {"key": "a"}}, {"ended": 40, "pipeline": {"key": "b"}}]
    record = {"started": 10, "begun": 50, "stops": stops, "pipeline": {"key": "c"}}
    places = [(0, 10), (0, 20), (0, 50)]
    assert record_files.attempts(record) == list(zip(places, "abc", strict=True))
    numbered = {**record, "number": 7, "stops": [{**stops[0], "number": 3}]}
    assert [place.number for place, _ in record_files.attempts(numbered)] == [3, 7]


def test_a_work_tree_is_noted_relative_to_the_main_one(tmp_path):
    inside = tmp_path / ".dvc/tmp/exps/standalone/tmp1"
    inside.mkdir(parents=True)
    assert records.open_record(tmp_path, "a").fields["root"] == "."
    book = records.open_record(inside, "a")
    assert book.fields["root"] == ".dvc/tmp/exps/standalone/tmp1"
    assert record_files.tree_of(tmp_path, book.fields) == inside
    former = {"root": "/once/here/.dvc/tmp/exps/standalone/tmp1"}  # of an earlier version
    assert record_files.tree_of(tmp_path, former) == inside
    assert record_files.tree_of(tmp_path, {"root": "/once/here"}) == tmp_path
