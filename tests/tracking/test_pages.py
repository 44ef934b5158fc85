import json
import re
import shutil
from urllib.parse import parse_qs

from plumbline import artifacts
from plumbline.runs import records
from plumbline.tracking import pages, sync


def measure(record, model: str, kind: str) -> None:
    book = record(f"evaluate@{model}")
    report = {"model": model, "kind": kind, "dataset": "tabular", "split": "test", "metrics": {}}
    path = f"reports/metrics/{model}.json"
    artifacts.write_json(book.folder / "files" / path, report)
    book.update(artifacts=[path], outs={path: "d41d8cd98f00b204e9800998ecf8427e"})
    book.close(records.FINISHED)


def compared(view, link: str) -> set[str]:
    """The models whose runs a comparison page is asked for."""
    asked = parse_qs(link.partition("?")[2])
    assert json.loads(asked["experiments"][0]) == ["2"]
    names = {run.info.run_id: run.data.tags["model"] for run in view().model_runs()}
    return {names[run_id] for run_id in json.loads(asked["runs"][0])}


def test_a_pipeline_links_to_the_comparison_of_its_models_and_of_each_data_set(
    home, record, view, template, monkeypatch
):
    for model, kind in (
        ("fnn", "classification"),
        ("baseline", "classification"),
        ("rnn", "language"),
    ):
        measure(record, model, kind)
    sync.sync(home)
    note = view().one("dvc repro").data.tags["mlflow.note.content"]
    links = dict(re.findall(r"\[([^]]+)\]\(([^)]+)\)", note))
    assert set(links) == {"all models", "tabular"}  # one model of text compares to nothing
    assert compared(view, links["all models"]) == {"fnn", "baseline", "rnn"}
    assert compared(view, links["tabular"]) == {"fnn", "baseline"}
    before = view().everything()
    shutil.copy(template, home / "new.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home}/new.db")
    sync.sync(home, rebuild=True)
    assert view().everything() == before  # the links lead to the new store's runs


def test_measured_runs_differ_in_params_that_a_comparison_can_draw(home, record, view):
    measure(record, "fnn", "classification")
    sync.sync(home)
    params = view().one("evaluate@fnn").data.params
    assert {key: params[key] for key in ("model", "dataset")} == {
        "model": "fnn",
        "dataset": "tabular",
    }


def test_the_newest_pipeline_is_the_one_that_began_last_whatever_the_clock(
    home, record, view, gone
):
    assert pages.newest_pipeline(view().store, home) is None
    for key, started in (("first", 1000), ("second", 3000), ("third", 2000)):
        book = record(pipeline={**gone, "key": key})
        book.update(started=started)
        book.close(records.FINISHED)
    sync.sync(home)

    def page(key: str) -> str:
        runs = view().runs()
        run = next(r for r in runs if r.data.tags.get("plumbline.pipeline") == key)
        return f"#/experiments/1/runs/{run.info.run_id}?workflowType=machine_learning"

    assert pages.newest_pipeline(view().store, home) == page("third")
    shutil.rmtree(home / ".plumbline")
    assert pages.newest_pipeline(view().store, home) == page("second")
