import json
from dataclasses import replace

import pytest

from plumbline.tracking import pages
from plumbline.tracking.model_runs import views

LONGEST_TAG = 20_000  # of an experiment, in MLflow 3


@pytest.fixture
def trial(view):
    """Make a model run with parameters and metrics."""
    shown = view().store

    def make(params: dict, metrics: dict, model: str = "fnn") -> None:
        run = shown.client.create_run(shown.models, tags={"model": model})
        for name, value in params.items():
            shown.client.log_param(run.info.run_id, name, value)
        for name, value in metrics.items():
            shown.client.log_metric(run.info.run_id, name, value)

    return make


def written(view, name: str) -> dict:
    shown = view().store
    value = shown.client.get_experiment(shown.models).tags[f"mlflow.sharedViewState.{name}"]
    assert len(value) < LONGEST_TAG
    return json.loads(json.loads(value)["state"])


def test_the_view_of_a_model_shows_the_parameters_that_differ_and_sorts_by_the_main_metric(
    view, trial
):
    metrics = {"test/auroc": 0.8, "test/brier": 0.1, "largest_gap": 0.2}
    trial({"lr": "0.1", "seed": "1"}, metrics)
    trial({"lr": "0.2", "seed": "1", "new": "x"}, metrics)  # only one run has "new"
    views.refresh(view().store, ["fnn"])
    state = written(view, "fnn")
    assert state["searchFilter"] == "tags.model = 'fnn'"
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`test/auroc`", False)
    assert state["selectedColumns"] == [
        "tags.`changed`", "metrics.`test/auroc`", "metrics.`largest_gap`", "tags.`verdict`",
        "tags.`gate`", "params.`lr`", "metrics.`test/brier`",
    ]  # fmt: skip
    bars = [c["metricKey"] for c in state["compareRunCharts"] if c["type"] == "BAR"]
    assert bars == ["test/auroc", "test/brier", "largest_gap", "train_seconds", "parameters"]
    parallel = next(c for c in state["compareRunCharts"] if c["type"] == "PARALLEL")
    assert (parallel["selectedParams"], parallel["selectedMetrics"]) == (["lr"], ["test/auroc"])


def test_of_a_metric_with_less_is_better_the_smallest_comes_first(view, trial):
    trial({}, {"test/bits_per_character": 1.5}, model="rnn")
    views.refresh(view().store, ["rnn"])
    assert written(view, "rnn")["orderByAsc"] is True


def test_a_model_that_is_not_in_the_catalogue_is_sorted_by_its_first_metric(view, trial):
    trial({}, {"test/f1": 0.5}, model="former")
    views.refresh(view().store, ["former"])
    assert written(view, "former")["orderByKey"] == "metrics.`test/f1`"


def test_every_chart_is_in_a_section_and_every_column_can_be_read(view):
    views.refresh(view().store, [])
    state = written(view, "all-models")
    sections = {section["uuid"] for section in state["compareRunSections"]}
    assert {chart["metricSectionId"] for chart in state["compareRunCharts"]} == sections
    uuids = [chart["uuid"] for chart in state["compareRunCharts"]]
    assert len(set(uuids)) == len(uuids)
    for column, width in state["columnWidths"].items():
        assert width >= 7 * len(column.partition("`")[2])


def test_the_note_of_the_experiment_links_to_its_views_and_is_written_once(view, trial):
    trial({}, {"test/auroc": 0.8})
    views.refresh(view().store, ["fnn"])
    shown = view().store
    tags = shown.client.get_experiment(shown.models).tags
    note = tags["mlflow.note.content"]
    assert f"({pages.models(shown)})" in note
    assert f"[fnn]({pages.models(shown, 'fnn')})" in note
    views.refresh(replace(shown, client=ReadOnly(shown.client)), ["fnn"])  # nothing is new


class ReadOnly:
    """A client that fails where something is written."""

    def __init__(self, client) -> None:
        self.get_experiment, self.search_runs = client.get_experiment, client.search_runs
