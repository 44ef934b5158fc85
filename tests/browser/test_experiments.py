"""Comparison of experiments and the model registry in MLflow's pages, in a copy of the clone.

The clone itself is also that of tests that count its runs.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import Server
from tests.clone import Clone

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1500)]

NAMES = ["fnn · small", "fnn · wide"]


@pytest.fixture(scope="module")
def tried(driver, clone, tmp_path_factory) -> Clone:
    """A work tree with two experiments on a model."""
    made = clone.copy(Path(tmp_path_factory.mktemp("tried")) / "plumbline")
    for name, hidden in (("small", "[32,16]"), ("wide", "[128,64]")):
        words = f"-n {name} --temp -S 'train_fnn.hidden={hidden}'"
        made.run(f"dvc exp run {words} card@fnn")
    made.run("plumbline sync")
    made.run("plumbline register fnn")
    made.run("plumbline promote fnn")
    return made


@pytest.fixture(scope="module")
def server(tried) -> Iterator[Server]:
    made = Server(tried.folder, tried.env)
    yield made
    made.close()


def test_two_experiments_are_compared_in_three_clicks(page, server):
    page.open(server.models.replace("all-models", "fnn"))
    page.sees("3 matching runs", *NAMES, "hidden=[128, 64]")
    page.shoot("experiments-list")
    for name in NAMES:
        row = f"//*[@role='row'][.//*[text()='{name}']]"
        page.click_path(f"({row}//input[@type='checkbox'])[1]")
    page.click("button", "Compare")
    page.sees("Comparing 2 Runs from 1 Experiment", "[32, 16]", "[128, 64]", "test/auroc")
    page.sees("largest_gap", "verdict")
    page.shoot("experiments-compared")


def test_the_registry_shows_a_version_with_alias_description_and_reports(page, server):
    base = server.models.partition("#")[0]
    page.open(f"{base}#/models?workflowType=machine_learning")
    page.sees("fnn", "champion")
    page.shoot("registry")
    page.open(f"{base}#/models/fnn/versions/1?workflowType=machine_learning")
    page.sees("champion", "Main metric:", "Largest group gap:", "Gate:", "card and audit")
    page.sees("Promotion: promoted: the first champion")
    page.shoot("registry-version")
    link = next(a for a in page.find("a") if a.text == "card and audit")
    page.open(link.get_attribute("href"))
    page.find("[artifact-name$='evidence']")
    page.shoot("registry-reports")
