from plumbline.cli import main
from plumbline.runs import record_files, records
from plumbline.tracking import sync
from plumbline.verify import lineage


def age(folder, days: float) -> None:
    """Let a run have ended days earlier."""
    book = record_files.read_record(folder)
    records.RunRecord(folder, {**book, "ended": book["ended"] - int(days * 86_400_000)})


def keys(home) -> list[str]:
    return [folder.name for folder in record_files.read_all(home)]


def test_only_old_delivered_records_that_the_lock_does_not_link_to_are_removed(toy, view, caplog):
    for seed in (7, 8, 42):
        toy.seed(seed)
        toy.repro()
        sync.sync(toy.folder)
    every = record_files.read_all(toy.folder)
    assert len(every) == 6
    for folder in every[:2] + every[4:]:
        age(folder, 10)
    root = ["--root", str(toy.folder)]
    assert main.main(["doctor", "--prune", "11", *root]) == 0
    assert len(record_files.read_all(toy.folder)) == 6
    with caplog.at_level("INFO", logger="plumbline"):
        assert main.main(["doctor", "--prune", "9", *root]) == 0
    assert keys(toy.folder) == [folder.name for folder in every[2:]]
    assert caplog.messages[-1].startswith("removed: 2 run records, ")
    assert every[0].name in caplog.text
    assert len(list((toy.folder / ".plumbline/pipelines").iterdir())) == 2

    assert lineage.examine(toy.folder).breaks == []
    toy.seed(7)  # back to what was pruned: its run is tagged, its record is gone on purpose
    toy.repro()
    sync.sync(toy.folder)
    assert view().origins()["train_fnn"] == ["executed", "executed", "executed", "restored"]
    assert lineage.examine(toy.folder).breaks == []
    sync.sync(toy.folder, rebuild=True)
    assert lineage.examine(toy.folder).breaks == []


def test_a_record_that_is_not_delivered_stays_whatever_its_age(toy, capsys, monkeypatch, caplog):
    toy.repro()
    for folder in record_files.read_all(toy.folder):
        age(folder, 100)
    assert main.main(["doctor", "--prune", "0", "--root", str(toy.folder)]) == 0
    assert len(record_files.read_all(toy.folder)) == 2


def test_nothing_is_removed_while_the_store_is_away(home, record, monkeypatch, caplog):
    book = record()
    book.close(records.FINISHED)
    age(book.folder, 100)
    (home / "dvc.yaml").write_text("stages: {}\n")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    for name in ("MAX_RETRIES", "BACKOFF_FACTOR"):
        monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_{name}", "0")
    assert main.main(["doctor", "--prune", "1", "--root", str(home)]) == 1
    assert caplog.messages[-1].startswith("doctor: store http://127.0.0.1:9 must answer, got ")
    assert book.folder.exists()
