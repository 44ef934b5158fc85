import json

import pytest

from plumbline.runs import record_files, records
from plumbline.runs.record_schema import (
    parse_deliveries,
    parse_metric,
    parse_note,
    parse_record,
)

DEEP = "[" * 100_000
# A value in a record, and what is said of it; each stopped the delivery of all runs.
FAULTS = {
    "params": (None, "params: Input should be a valid dictionary"),
    "tags": ([1], "tags: Input should be a valid dictionary"),
    "started": ("yesterday", "started: Input should be a valid integer"),
    "ended": (2**70, "ended: Input should be less than or equal to 9223372036854775807"),
    "status": ("ODD", "status: Input should be 'RUNNING', 'FINISHED', 'FAILED' or 'KILLED'"),
    "origin": ("odd", "origin: Input should be 'executed' or 'reference'"),
    "pipeline": ({"key": "../x", "host": "h"}, "pipeline.key: String should match pattern"),
    "key": ("a'b", "key: String should match pattern"),
    "root": (None, "root: Input should be a valid string"),
    "stage": (None, "stage: Input should be a valid string"),
    "deps": ({"a\nb": 1}, "deps.a\\nb: Input should be a valid string"),
    "inputs": ([{}], "inputs.0.name: Field required"),
    "stops": ([{}], "stops.0.status: Field required"),
    "attempts": (0, "attempts: Input should be greater than or equal to 1"),
    "artifacts": (["../../etc/passwd"], "artifacts.0: Value error, must stay inside the work tree"),
    "model": ({"path": "/etc"}, "model.path: Value error, must stay inside the work tree"),
}


@pytest.fixture
def book(tmp_path):
    return records.open_record(tmp_path, "train_fnn", params={"seed": 1}, outs={"out": "1" * 32})


def test_a_record_is_read_as_it_was_written(book):
    book.metrics({"a": 1.5, "b": float("nan"), "c": -0.0}, step=0)
    book.close(records.FINISHED)
    assert parse_record((book.folder / "run.json").read_bytes()) == book.fields
    read = records.RunRecord.reopen(book.folder).fields
    assert parse_record((book.folder / "run.json").read_bytes()) == read
    lines, _ = record_files.read_metrics(book.folder)
    assert [(line["k"], line["v"]) for line in lines] == [("a", 1.5), ("b", None), ("c", 0.0)]


@pytest.mark.parametrize("field", FAULTS)
def test_a_field_of_another_type_is_named(book, field):
    value, message = FAULTS[field]
    text = json.dumps({**book.fields, field: value})
    with pytest.raises(ValueError, match=r"^[^\n]*$") as caught:
        parse_record(text.encode())
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"\xff", pytest.param(DEEP.encode(), id="deep")]
)
def test_what_is_no_record_is_a_fault_of_one_line(data):
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        parse_record(data)


@pytest.mark.parametrize("value", ["null", "0", "-1.5", "1e308", "5e-324"])
def test_a_line_holds_a_finite_value_or_none(value):
    line = f'{{"k": "a", "v": {value}, "s": -3, "t": 0}}'.encode()
    assert parse_metric(line) == {"k": "a", "v": json.loads(value), "s": -3, "t": 0}


@pytest.mark.parametrize(
    "line",
    [
        '{"k": "a", "v": "abc", "s": 0, "t": 1}', '{"k": "a", "v": true, "s": 0, "t": 1}',
        '{"k": "a", "v": 1e999, "s": 0, "t": 1}', '{"k": "a", "v": NaN, "s": 0, "t": 1}',
        f'{{"k": "a", "v": {"9" * 400}, "s": 0, "t": 1}}', '{"k": "a", "v": [1], "s": 0, "t": 1}',
        '{"k": 5, "v": 1, "s": 0, "t": 1}', '{"k": {}, "v": 1, "s": 0, "t": 1}',
        f'{{"k": "a", "v": 1, "s": {2**63}, "t": 1}}', '{"k": "a", "v": 1, "s": 1.5, "t": 1}',
        '{"k": "a", "v": 1, "s": null, "t": 1}', '{"k": "a", "v": 1, "s": 0, "t": -1}',
        '{"k": "a", "v": 1, "s": 0, "t": 1.5}', '{"k": "a", "v": 1, "s": 0, "t": "now"}',
        '{"k": "a", "v": 1, "s": 0}', "[1]", "", "null", "5", pytest.param(DEEP, id="deep"),
    ],
)  # fmt: skip
def test_any_other_line_is_none(line):
    assert parse_metric(line.encode()) is None


def test_notes_have_types_too():
    note = {"key": "k", "shown": {"train_fnn": "f"}, "changed": {"seed": 1}, "covered": {"a": "b"}}
    assert parse_note(json.dumps(note).encode()) == note
    deliveries = {"store": {"run_id": "r", "offset": 3, "finished": True, "status": None}}
    assert parse_deliveries(json.dumps(deliveries).encode()) == deliveries
    with pytest.raises(ValueError, match=r"^shown: Input should be a valid dictionary$"):
        parse_note(b'{"shown": [1]}')
    with pytest.raises(ValueError, match=r"^store.offset: Input should be greater than or equal"):
        parse_deliveries(b'{"store": {"offset": -1}}')
