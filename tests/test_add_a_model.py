"""docs/how-to/add-a-model.md works as it is printed: its steps are carried out in a clone."""

import re

import pytest
import yaml

from plumbline import artifacts
from plumbline.reporting.rendering import show
from plumbline.runs import dependencies, dvc_files
from tests.clone import Clone

PAGE = "docs/how-to/add-a-model.md"
STEP = re.compile(
    r"^(?:Create `(?P<new>[^`]+)`:"
    r"|In `(?P<old>[^`]+)`, (?P<place>above|below|in place of) `(?P<line>[^`]+)`)\n\n"
    r"```\w+\n(?P<text>.*?)^```$",
    flags=re.MULTILINE | re.DOTALL,
)
# Tests that go through the catalogue and the pipeline: none of them needs an edit.
UNCHANGED = (
    "tests/runs/test_dependencies.py",
    "tests/test_catalog.py",
    "tests/reporting/site/test_page.py",
)
TINY = {"layers": 1, "width": 16, "heads": 2, "optimisation": {"max_epochs": 1}}


def carry_out(page, folder):
    """Change the files of a repository as the page says; return their paths."""
    paths = []
    for step in STEP.finditer(page):
        path = folder / (step["new"] or step["old"])
        paths.append(path.relative_to(folder).as_posix())
        if step["new"]:
            assert not path.exists()
            path.write_text(step["text"], encoding="utf-8")
            continue
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        found = [n for n, line in enumerate(lines) if line.strip().startswith(step["line"])]
        assert len(found) == 1, step["line"]
        start, end = {"above": (0, 0), "below": (1, 1), "in place of": (0, 1)}[step["place"]]
        lines[found[0] + start : found[0] + end] = [step["text"]]
        path.write_text("".join(lines), encoding="utf-8")
    return paths


@pytest.fixture(scope="module")
def page(root):
    return (root / PAGE).read_text(encoding="utf-8")


def test_the_steps_touch_at_most_seven_files_and_make_no_training_stale(root, page):
    touched = {step["new"] or step["old"] for step in STEP.finditer(page)}
    assert len(touched) == 6
    assert page.count("```python\n") + page.count("```yaml\n") == len(STEP.findall(page))
    stale = {stage for path in touched for stage in dependencies.stale_stages(root, path)}
    assert not {stage for stage in stale if stage.startswith(("train@", "baseline@", "prepare@"))}
    assert stale & set(dvc_files.stages(root))  # evaluations import the package of networks


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_transformer_is_added_as_the_page_says_and_runs_to_its_card(root, page, tmp_path):
    clone = Clone(root, tmp_path / "plumbline")
    clone.env["PLUMBLINE_TRACKING"] = "off"
    clone.run("git rm -q --cached dvc.lock")
    clone.run("git commit -qm lock")
    (clone.folder / "dvc.lock").unlink()
    clone.run("dvc repro train@rnn")
    clone.run("git add -A")
    clone.run("git commit -qm ran")

    changed = carry_out(page, clone.folder)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({"train_transformer": TINY}))
    clone.run(f"plumbline params apply {tmp_path / 'tiny.yaml'}")
    status = clone.run("git status --porcelain --untracked-files=all").splitlines()
    assert {line[3:] for line in status} == set(changed)
    assert len(status) <= 7
    sources = [path for path in changed if path.endswith(".py")]
    clone.run(f"ruff check {' '.join(sources)}")
    assert "up to date" in clone.run("dvc status train@rnn")

    commands = re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL)[0].splitlines()
    for command in commands:
        clone.run(command)
    clone.run(f"pytest -q -p no:cacheprovider {' '.join(UNCHANGED)}")
    metrics = artifacts.read_json(clone.folder / "reports/metrics/transformer.json")
    value = metrics["metrics"]["bits_per_character"]["value"]
    assert 1 < value < 7  # a reduced fit; equal shares of all characters would need more
    assert "ngram/bits_per_character" in metrics["reference"]
    card = (clone.folder / "reports/cards/transformer.md").read_text(encoding="utf-8")
    assert "# Character Transformer\n" in card
    assert f"the bits per character is {show(value)}" in card
    assert "Open question: what is this model for?" in card
    assert yaml.safe_load((clone.folder / "dvc.lock").read_text())["stages"].keys() >= {
        "train@rnn", "train@transformer", "card@transformer",
    }  # fmt: skip
