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


def test_lines_of_metrics_without_sense_are_skipped_and_counted(tmp_path, caplog):
    book = begin(tmp_path)
    book.metrics({"a": 1}, step=0)
    with (book.folder / "metrics.jsonl").open("ab") as stream:
        stream.write(b"\x00\x00 garbage\n[1]\n")
    book.metrics({"a": 2}, step=1)
    assert [line["v"] for line in record_files.read_metrics(book.folder)[0]] == [1, 2]
    assert "got 2 that are not" in caplog.text
