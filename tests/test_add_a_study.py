"""docs/how-to/add-a-study.md works as it is printed: it is carried out in a clone."""

import re

import pytest

from plumbline import artifacts
from tests.clone import Clone
from tests.test_add_a_model import STEP, carry_out

PAGE = "docs/how-to/add-a-study.md"


@pytest.fixture(scope="module")
def page(root):
    return (root / PAGE).read_text(encoding="utf-8")


def test_the_steps_touch_eight_files_and_every_block_of_code_is_a_step(page):
    assert len({step["new"] or step["old"] for step in STEP.finditer(page)}) == 8
    blocks = re.findall(r"^```(?:python|yaml|markdown)$", page, flags=re.MULTILINE)
    assert len(blocks) == len(STEP.findall(page))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_study_is_added_as_the_page_says_and_runs(root, page, tmp_path):
    clone = Clone(root, tmp_path / "plumbline")
    clone.env["PLUMBLINE_TRACKING"] = "off"
    changed = carry_out(page, clone.folder)
    status = clone.run("git status --porcelain --untracked-files=all").splitlines()
    assert {line[3:] for line in status} == set(changed)
    commands = re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL)[0].splitlines()
    shown = [clone.run(command) for command in commands]
    for folder in ("build/studies/quick", "reports/studies"):
        found = artifacts.read_json(clone.folder / folder / "feedforward/rates/claims.json")
        (claim,) = found["claims"]
        assert claim["verdict"] == "supported"
        assert claim["low"] <= claim["estimate"] <= claim["high"] < -0.05
    assert all("higher learning rate" in text for text in shown[1:])
    page_of = (clone.folder / "reports/studies/feedforward/rates/README.md").read_text("utf-8")
    assert "![loss by rate](figures/loss_by_rate.svg)" in page_of
    told = clone.run("plumbline repro studies/feedforward/dvc.yaml")
    assert "Learning rates\n" in told
    assert told.rstrip().splitlines()[-2] == "Page: reports/feedforward.html"
    clone.run("ruff check src")
    unchanged = "tests/runs/test_dependencies.py tests/studies/test_laboratories.py"
    # The default size of this clone is the quick one, and other studies have their own tests.
    of_this = "not a_size_changes and (rates or not feedforward)"
    clone.run(f"pytest -q -p no:cacheprovider {unchanged} -k '{of_this}'")
