import json

import pytest

from plumbline.artifacts import traces
from plumbline.cli import main
from plumbline.runs import record_files, records
from plumbline.tracking import sync
from plumbline.verify import diff_runs
from plumbline.verify.divergence import Difference
from tests.artifacts.test_plain_text import hidden
from tests.tracking import conftest
from tests.verify.test_divergence import content

template, home, gone = conftest.template, conftest.home, conftest.gone
record, view = conftest.record, conftest.view


@pytest.fixture
def traced(record):
    """Make a finished run record whose trace has nine steps, with changes from a step on."""

    def make(*, step: int = 1, count: int = 9, changes: dict | None = None, **fields):
        book = record(**fields)
        chain, lines = traces.START, ""
        for number in range(1, count + 1):
            more = changes if changes and number >= step else {}
            text, chain = traces.encode(chain, content(number, **more))
            lines += text
        (book.folder / traces.FILE).write_text(lines)
        book.close(records.FINISHED)
        return book

    return make


def diff(home, *words) -> int:
    return main.main(["diff-runs", "--root", str(home), *map(str, words)])


def test_equal_runs_exit_0_and_say_so(home, traced, capsys):
    first, second = traced(), traced()
    assert diff(home, first.fields["key"], second.fields["key"]) == 0
    out = capsys.readouterr().out
    assert "equal: the traces agree in every step" in out
    assert "What differs in the records" not in out


def test_the_first_step_the_cause_both_values_and_the_records_are_told(home, traced, capsys):
    first = traced(seed=1, tags={"git.commit": "aaa", "dvc.exp_name": "one"})
    second = traced(
        step=4, changes={"samples": [4, 77]}, seed=2, params={"seed": 2, "trainer": {"threads": 2}},
        deps={"src/x": "123"}, tags={"git.commit": "bbb", "dvc.exp_name": "two"},
    )  # fmt: skip
    assert diff(home, first.folder, second.folder, "--format", "json") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["equal"], told["fit"], told["step"], told["cause"]) == (False, "fit", 4, "samples")
    assert told["kinds"][0]["differences"] == [{"name": "1", "first": "5", "second": "77"}]
    assert {(r["name"], r["first"], r["second"]) for r in told["records"]} == {
        ("seed", "1", "2"), ("plumbline.seed", "1", "2"), ("trainer.threads", "–", "2"),
        ("dep.src/x", "–", "123"), ("git.commit", "aaa", "bbb"),
    }  # fmt: skip
    assert diff(home, first.folder, second.folder) == 1
    out = capsys.readouterr().out
    assert "Differences at step 4 of fit 'fit'" in out
    assert "diverged: fit 'fit', step 4: the batch holds other samples (data order), 1 of 2 " in out
    assert "plumbline.seed" in out


def test_a_run_is_found_by_the_start_of_its_key_its_folder_its_file_and_its_tree(home, traced):
    book = traced()
    key = book.fields["key"]
    (home / "dvc.yaml").write_text("stages: {}\n")
    kept = book.folder / "files" / traces.FILE
    for word in (key, key[:-2], book.folder, kept, home):
        found = diff_runs.find(home, str(word), stage="train_fnn")
        assert found.label == f"train_fnn ({key})"
        assert len(found.fits["fit"]) == 9
    apart = home / "other.jsonl"
    apart.write_bytes(kept.read_bytes())
    found = diff_runs.find(home, str(apart))
    assert (found.label, found.facts, len(found.fits["fit"])) == ("other.jsonl", {}, 9)


def test_of_a_work_tree_the_newest_traced_run_is_taken(home, traced, record):
    traced()
    newest = traced(seed=9)
    record().close(records.FINISHED)  # without a trace
    traced(stage="train_rnn")
    assert diff_runs.newest_traced(home, "train_fnn") == newest.folder
    assert diff_runs.newest_traced(home, "pretrain") is None


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "2",
            "diff-runs: run must be named without doubt, got '2', with which 2 keys begin: ",
        ),
        (
            "nobody",
            "diff-runs: run must be a key, a run record, a trace file, a work tree or an MLflow "
            "run id, got 'nobody'; keys stand in .plumbline/runs and in the tag plumbline.key",
        ),
        (
            "*",
            "diff-runs: run must be a key, a run record, a trace file, a work tree or an MLflow "
            "run id, got '*'; keys",
        ),
        (
            "a" * 32,
            f"diff-runs: run {'a' * 32} must be in the store sqlite:////",
        ),
        ("tree", "diff-runs: --stage must be given with a work tree, got none for home"),
        (
            "untraced",
            "must have a trace, got none; set trainer.trace: true in params.yaml and run the "
            "stage again",
        ),
    ],
)  # fmt: skip
def test_a_run_that_is_not_there_is_told_with_its_cure(home, record, traced, word, message, caplog):
    untraced = record()
    untraced.close(records.FINISHED)
    traced()
    (home / "dvc.yaml").write_text("stages: {}\n")
    words = {"tree": home, "untraced": untraced.folder}
    assert diff(home, words.get(word, word), words.get(word, word)) == 4
    assert message in caplog.messages[-1]


def test_runs_of_a_store_are_compared_by_their_ids_when_the_records_are_gone(
    home, traced, view, monkeypatch, capsys
):
    monkeypatch.setattr(traces, "_LARGE", 2000)
    traced(count=9, params={"seed": 1, "lr": 0.5})
    traced(count=2, params={"seed": 1, "lr": 0.25})
    sync.sync(home)
    runs = view().runs("train_fnn")
    names = [view().artifacts(run) for run in runs]
    assert [{n for n in found if "trace" in n} for found in names] == [
        {"trace.jsonl.gz"},
        {"trace.jsonl"},
    ]
    for folder in record_files.read_all(home):
        (folder / "run.json").unlink()
    ids = [run.info.run_id for run in runs]
    assert diff(home, *ids, "--format", "json") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["first"], told["cause"], told["step"]) == (
        f"train_fnn (MLflow run {ids[0]})",
        "length",
        3,
    )
    assert told["records"] == [{"name": "lr", "first": "0.5", "second": "0.25"}]


def test_what_looks_like_markup_is_printed_as_it_stands(home, traced, capsys):
    first, second = traced(params={"a": "[red]x[/red]"}), traced(params={"a": "[/b]"})
    assert diff(home, first.folder, second.folder) == 0
    out = capsys.readouterr().out
    assert "[red]x[/red]" in out
    assert "[/b]" in out


def test_a_run_that_failed_keeps_its_trace_and_one_that_finished_keeps_it_once(record):
    line, _ = traces.encode(traces.START, content(1))
    for status in (records.FAILED, records.FINISHED):
        book = record()
        (book.folder / traces.FILE).write_text(line)
        book.close(status)
        assert book.fields["artifacts"] == [traces.FILE]
        assert (book.folder / "files" / traces.FILE).read_text() == line
        assert (book.folder / traces.FILE).exists() == (status == records.FAILED)


def test_names_that_a_terminal_would_obey_are_printed_as_text(capsys):
    name = "\x1b[2J\u202ea"
    diff_runs.show(name, name, [Difference(name, name, "b")], None)
    assert not hidden(capsys.readouterr().out.replace("\n", ""))
