"""Damaged run records: put aside or read, with every whole record and line still delivered."""

import json
import logging
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.cli import main
from plumbline.runs import record_files, records
from plumbline.tracking import references, sync
from plumbline.tracking.state import State
from tests.fuzz.cases import damaged, damages, examples
from tests.tracking.conftest import gone, home, record, template, view  # noqa: F401

PIECES = [
    b"{", b"}", b'"', b"[", b"null", b"true", b"-1", b"1e999", b"NaN", b"9" * 30, b"\n", b"\xff",
    b"0", b"1", b"pipeline", b"key", b"FINISHED", b"\\u0000", b"../", b",", b": {}", b"[" * 2000,
]  # fmt: skip


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> dict[str, dict[str, bytes]]:
    """Files of three records and a pipeline's note, written by the real classes."""
    root = tmp_path_factory.mktemp("originals")
    found = {}
    for number, stage in enumerate(("train_fnn", "evaluate@fnn", "train_cnn")):
        book = records.open_record(
            root, stage, params={"seed": number}, deps={"in": "1" * 32}, outs={"out": "2" * 32},
            inputs=[{"name": "data", "path": "in", "digest": "1" * 32}], tags={"git.commit": "c"},
            pipeline={"key": "p" * 16, "pid": 2**22, "started": 1.0, "host": "h"}, cmd="python x",
        )  # fmt: skip
        for step in range(3):
            book.metrics({"train/loss": 1 / (step + 1), "val/odd": float("nan")}, step=step)
        book.close(records.FINISHED)
        names = ("run.json", "metrics.jsonl")
        found[book.folder.name] = {name: (book.folder / name).read_bytes() for name in names}
    return found


class _Messages(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, entry: logging.LogRecord) -> None:
        self.texts.append(entry.getMessage())


def check_record(originals, which: int, file: str, draws) -> None:
    key = sorted(originals)[which]
    data = damaged(originals[key][file], draws, PIECES)
    messages = _Messages()
    record_files.log.addHandler(messages)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            tree = Path(scratch)
            for name, files in originals.items():
                folder = tree / ".plumbline/runs" / name
                folder.mkdir(parents=True)
                for each, content in files.items():
                    (folder / each).write_bytes(content)
            (tree / ".plumbline/runs" / key / file).write_bytes(data)
            check_read(tree, key, file, originals, data)
    finally:
        record_files.log.removeHandler(messages)
    assert all("\n" not in text for text in messages.texts)


def check_read(tree: Path, key: str, file: str, originals, data: bytes) -> None:
    found = record_files.read_all(tree)
    names = {folder.name for folder in found}
    aside = {folder.name for folder in (tree / ".plumbline/damaged").glob("*")}
    assert names | aside == set(originals)
    assert not names & aside
    assert aside <= ({key} if file == "run.json" else set())
    for folder in found:
        kept = record_files.read_record(folder)
        if folder.name != key:
            assert kept == json.loads(originals[folder.name]["run.json"])
        records.within(kept, "p" * 16)
        assert records.pipelines(kept)
        ended = records.ending(kept, folder)
        assert ended is None or ended[0] != records.RUNNING
        records.stage_key(kept)
        lines, offset = record_files.read_metrics(folder)
        written = (folder / "metrics.jsonl").read_bytes()
        assert offset == written.rfind(b"\n") + 1
        # Every line that is as it was written is there, in its order.
        whole = written[:offset].split(b"\n")[:-1]
        kept_lines = [json.loads(line) for line in whole if line in originals[folder.name]
                      ["metrics.jsonl"].split(b"\n") and line]  # fmt: skip
        rest = iter(lines)
        assert all(line in rest for line in kept_lines)
        again, _ = record_files.read_metrics(folder, offset)
        assert again == []


FILES = st.sampled_from(["run.json", "metrics.jsonl"])


@examples(60)
@given(st.integers(0, 2), FILES, damages)
def test_a_damaged_record_is_put_aside_or_read_and_the_others_are_read(
    originals, which, file, draws
):
    check_record(originals, which, file, draws)


@pytest.mark.slow
@examples(300)
@given(st.integers(0, 2), FILES, damages)
def test_many_damaged_records_are_put_aside_or_read_and_the_others_are_read(
    originals, which, file, draws
):
    check_record(originals, which, file, draws)


NOTES = {
    "sync.json": {"store#1#2": {"run_id": "a" * 32, "offset": 7, "finished": True, "attempts": 1}},
    "pipeline.json": {"key": "k", "root": ".", "shown": {"train_fnn": "f" * 64}, "changed": {}},
}


@examples(60)
@given(st.sampled_from(sorted(NOTES)), damages)
def test_a_damaged_note_is_as_good_as_none(name, draws):
    data = damaged(json.dumps(NOTES[name]).encode(), draws, PIECES)
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch)
        if name == "sync.json":
            (tree / name).write_bytes(data)
            state = State(tree, "store#1#2")
            assert isinstance(state.get("offset", 0), int)
            assert isinstance(state.get("run_id", ""), str)
            state.set(finished=False)
            assert State(tree, "store#1#2").get("finished") is False
        else:
            path = references.note_of(tree, "k")
            path.parent.mkdir(parents=True)
            path.write_bytes(data)
            note = references.read_note(tree, "k")
            assert isinstance(note, dict)
            shown = references.shown_by(tree, "k")
            assert shown is None or isinstance(shown, dict)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_whole_records_reach_the_store_beside_damaged_ones(home, record, view, seed):  # noqa: F811
    draw = random.Random(seed)
    books = {}
    for number in range(6):
        book = record(f"train_{number}")
        book.metrics({"train/loss": number + 0.5, "a<b": 1.0, "a>b": 2.0}, step=0)
        book.metrics({"train/loss": number + 0.25}, step=1)
        book.close(records.FINISHED)
        books[f"train_{number}"] = book.folder
    hurt = draw.sample(sorted(books), 3)
    for name in hurt:
        path = books[name] / draw.choice(["run.json", "metrics.jsonl", "sync.json"])
        before = path.read_bytes() if path.exists() else b'{"a": {"run_id": "b", "offset": 3}}'
        path.write_bytes(damaged(before, [draw], PIECES))
    for _ in range(2):
        outcome = sync.sync(home)
        assert not outcome.down
        found = {run.info.run_name: run for run in view().runs()}
        for name in set(books) - set(hurt):
            assert found[name].info.status == "FINISHED"
            assert set(found[name].data.metrics.values()) == {1.0, 2.0, float(name[-1]) + 0.25}
    # Notes of what was delivered, too.
    for note in sorted((home / ".plumbline").rglob("sync.json")):
        note.write_bytes(damaged(note.read_bytes(), [draw], PIECES))
    for note in sorted((home / ".plumbline/pipelines").glob("*/pipeline.json")):
        note.write_bytes(damaged(note.read_bytes(), [draw], PIECES))
    assert not sync.sync(home).down
    assert main.main(["verify", "lineage", "--root", str(home)]) in (0, 1, 2, 4)
