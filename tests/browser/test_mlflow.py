"""MLflow's own pages, in a real browser, on the store that one run of the pipeline left."""

import re

import pytest

from plumbline import catalog
from plumbline.runs import dvc_files
from plumbline.tracking import store

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def run_ids(server, clone) -> dict[str, str]:
    client = store.client(f"sqlite:///{clone.folder / 'mlflow.db'}")
    found = client.search_runs([client.get_experiment_by_name("plumbline").experiment_id])
    return {run.info.run_name: run.info.run_id for run in found}


@pytest.fixture(scope="module")
def model_runs(server, clone) -> dict[str, str]:
    client = store.client(f"sqlite:///{clone.folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(store.MODELS)
    found = client.search_runs([experiment.experiment_id], order_by=["start_time ASC"])
    return {run.data.tags["model"]: run.info.run_id for run in found}


@pytest.fixture
def run_page(server, run_ids):
    base = server.runs.partition("/runs?")[0]
    return lambda name, tab="": f"{base}/runs/{run_ids[name]}{tab}?workflowType=machine_learning"


def default_stages(clone) -> int:
    return sum(not spec.lab for spec in dvc_files.stages(clone.folder).values())


def test_the_list_shows_the_pipeline_and_its_stages_below_it(page, server, clone):
    page.open(server.runs)
    page.sees("dvc repro", f"{default_stages(clone) + 1} matching runs")
    page.click("[role=row] button")
    page.sees("card@fnn", "gate", "report")
    page.shoot("runs")


def test_the_pipeline_run_shows_metrics_of_every_model_and_links_to_comparisons(
    page, server, clone
):
    page.open(server.pipeline)
    page.sees("Finished", "Child runs", "git.commit")
    # Reports in git whose stage has no reduced parameter are up to date in a clone.
    executed, kept = page.wait(
        lambda: re.findall(r"(\d+) stages executed, (\d+) up to date", page.text), "stages"
    )[0]
    assert int(executed) + int(kept) == default_stages(clone)
    assert int(kept) < int(executed)
    page.sees("baseline/test/auroc", "fnn/test/accuracy")
    page.sees("all models", "tabular", "images")
    page.shoot("pipeline")


def test_a_training_run_shows_tags_and_parameters(page, run_page):
    page.open(run_page("train@fnn"))
    page.sees("train@fnn", "Finished", "Parent run", "dvc.stage", "git.commit", "tabular")
    page.sees("train_fnn.activation", "relu", "train/loss", "val/auroc")
    page.shoot("training-run")


def test_a_training_run_shows_its_curves(page, run_page):
    page.open(run_page("train@fnn", "/model-metrics"))
    page.sees("train", "val", "loss", "auroc", "train@fnn")
    page.find(".js-plotly-plot path.js-line")
    page.shoot("training-curves")


def test_a_training_run_shows_its_artifacts(page, run_page):
    page.open(run_page("train@fnn", "/artifacts"))
    for folder in ("reports", "history"):
        page.find(f"[artifact-name$='{folder}']")
        page.click_path(f"//*[@aria-label='{folder}']/preceding-sibling::div//*[name()='svg']")
    page.click("[artifact-name$='fnn.csv']")
    page.sees("epoch", "learning_rate")
    page.shoot("training-artifacts")


def test_the_models_are_listed_with_the_runs_that_made_them(page, server):
    page.open(server.runs.replace("/runs?", "/models?"))
    page.sees("finetune_full", "train@gan", "Ready")
    page.shoot("models")


def test_an_evaluation_shows_the_value_and_what_it_is_read_against(page, run_page):
    page.open(run_page("evaluate@fnn"))
    page.sees("test/auroc", "evaluate.confidence")
    page.click("input[placeholder='Search metrics']")
    page.find("input[placeholder='Search metrics']")[0].send_keys("majority")
    page.sees("test_reference/majority_class/accuracy")
    page.shoot("evaluation")


def sees_columns(page, *names: str) -> None:
    """Wait for headings of the run list in this order, from left to right.

    In the page they stand in any order, and they move to their places.
    """

    def in_order() -> bool:
        cells = [cell for cell in page.find("[role=columnheader]") if cell.text in names]
        placed = sorted(cells, key=lambda cell: (cell.location["x"], cell.location["y"]))
        return list(dict.fromkeys(cell.text for cell in placed)) == list(names)

    page.wait(in_order, f"columns {names}")


def test_the_first_address_opens_all_models_with_their_metric_verdict_and_gate(page, server):
    page.open(server.models)
    page.sees(f"{len(catalog.models())} matching runs", "All models")
    page.sees("fnn · ", "auroc 0.", "inconclusive", "no rule")
    sees_columns(page, "changed", "main metric", "verdict", "gate")
    page.shoot("models-list")


def test_the_view_of_a_model_is_sorted_by_its_main_metric(page, server):
    page.open(server.models.replace("all-models", "fnn"))
    page.sees("fnn: experiments", "1 matching run", "Sort: test/auroc")
    sees_columns(page, "changed", "test/auroc", "largest_gap")
    page.shoot("model-view")


def test_the_charts_of_a_model_compare_quality_fairness_and_cost(page, server):
    page.open(server.models.replace("all-models", "cnn") + "&compareRunsMode=CHART")
    page.sees("Differences", "Quality", "Fairness", "Cost", "test/accuracy", "test/auroc")
    page.find(".js-plotly-plot")
    page.shoot("model-charts")


def test_a_model_run_tells_verdict_gate_and_what_it_was_trained_with(page, server, model_runs):
    page.open(f"{server.models.partition('/runs?')[0]}/runs/{model_runs['fnn']}")
    page.sees("Largest group gap:", "Gate:", "Main metric:", "experiments with fnn")
    page.sees("hidden", "[64, 32]", "test/auroc", "train_seconds", "tabular (", "Training")
    page.shoot("model-run")


def test_a_model_run_shows_card_audit_and_the_table_of_intervals(page, server, model_runs):
    base = server.models.partition("/runs?")[0]
    page.open(f"{base}/runs/{model_runs['fnn']}/artifacts")
    for folder in ("audits", "cards", "figures"):
        page.find(f"[artifact-name$='{folder}']")
    page.click("[artifact-name$='metrics.csv']")
    page.sees("low", "high", "expected_calibration_error")
    page.shoot("model-run-artifacts")


def follow(page, server, words: str) -> None:
    """Open a link of the pipeline's description; MLflow would do so in a new tab."""
    page.open(server.pipeline)
    page.sees(words)
    link = next(a for a in page.find("a[href*=compare-runs]") if a.text == words)
    page.open(link.get_attribute("href"))


def test_all_models_are_compared_in_a_table_and_by_what_differs(page, server):
    follow(page, server, "all models")
    page.sees(f"Comparing {len(catalog.models())} Runs from 1 Experiment", "gan · ")
    page.sees("largest_gap", "test/accuracy", "\nseed 42")
    page.find(".js-plotly-plot .parcoords")
    page.shoot("comparison-all")
    page.click("button[role=switch]")  # show diff only
    page.wait(lambda: "\nseed 42" not in page.text, "equal parameters gone")
    page.sees("lr", "Show diff only")
    page.shoot("comparison-all-differences")


def test_models_of_one_data_set_are_drawn_against_each_other(page, server):
    follow(page, server, "images")
    page.sees(f"Comparing {len(catalog.models_of('images'))} Runs from 1 Experiment")
    page.find(".js-plotly-plot .parcoords")
    page.shoot("comparison-images")
