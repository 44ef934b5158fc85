"""docs/how-to/add-a-study-stage.md works as it is printed: it is carried out in a clone."""

import re

import pytest

from plumbline import artifacts
from tests.clone import Clone
from tests.test_add_a_model import STEP, carry_out

PAGE = "docs/how-to/add-a-study-stage.md"


@pytest.fixture(scope="module")
def page(root):
    return (root / PAGE).read_text(encoding="utf-8")


def test_the_steps_touch_four_files(page):
    assert len({step["new"] or step["old"] for step in STEP.finditer(page)}) == 4


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_stage_is_added_as_the_page_says_and_runs(root, page, tmp_path):
    clone = Clone(root, tmp_path / "plumbline")
    clone.env["PLUMBLINE_TRACKING"] = "off"
    changed = carry_out(page, clone.folder)
    status = clone.run("git status --porcelain --untracked-files=all").splitlines()
    assert {line[3:] for line in status} == set(changed)
    assert len(status) == 4
    for command in re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL)[0].splitlines():
        clone.run(command)
    shares = artifacts.read_json(clone.folder / "reports/label_shares.json")
    assert set(shares) == {"code 1", "code 2"}
    assert all(0.2 < group["positive"] < 0.8 and group["n"] >= 10 for group in shares.values())
    clone.run("ruff check pipelines src/plumbline/params")
    clone.run("pytest -q -p no:cacheprovider tests/runs/test_dependencies.py")
