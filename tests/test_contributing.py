"""CONTRIBUTING.md names what exists, and places every package."""

import re

import pytest

from tests.test_readme import commands, make_targets


@pytest.fixture(scope="module")
def text(root):
    return (root / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_every_path_exists_up_to_the_names_that_are_left_to_the_reader(root, text):
    files = (
        r"`((?:\.ci|src|pipelines|studies|tests|examples)/[^`\s]+|[\w.-]+\.(?:yaml|toml|lock|md))`"
    )
    paths = re.findall(files, text)
    assert len(paths) > 25
    for path in paths:
        known = path.partition("<")[0] or path
        folder = known if "<" not in path else known.rpartition("/")[0]
        assert (root / folder).exists(), path


def test_every_package_and_module_of_the_library_is_placed_and_no_other(root, text):
    placed = re.findall(r"^\| `([\w.]+)/?` \|", text, flags=re.MULTILINE)
    found = {
        path.name
        for path in (root / "src/plumbline").iterdir()
        if path.suffix == ".py" or (path.is_dir() and (path / "__init__.py").exists())
    }
    assert sorted(placed) == sorted(found - {"__init__.py"})


def test_every_command_is_a_target_of_make(root, text):
    named = {line.split()[1] for line in commands(text) if line.startswith("make ")}
    assert named >= {"env", "check", "test", "test-slow", "verify", "study"}
    assert named <= make_targets(root)


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("src/plumbline/params/models.py", ["class ModelBlocks("]),
        ("src/plumbline/params/studies.py", ["STUDIES"]),
        ("src/plumbline/params/reports.py", ["class AuditParams("]),
        ("src/plumbline/names.py", ["LESS_IS_BETTER"]),
        ("dvc.yaml", ["  train:\n", "&models"]),
        ("studies/fairness/dvc.yaml", ["wdir: ../.."]),
        ("src/plumbline/data/base/sources.yaml", ["sha256", "licence", "citation"]),
        ("src/plumbline/reporting/templates/words.yaml", ["\nmodels:", "\nsources:", "\ngeneric:"]),
    ],
)
def test_what_a_list_says_of_a_file_is_in_it(root, file, names):
    content = (root / file).read_text(encoding="utf-8")
    assert [name for name in names if name not in content] == []


def test_a_list_says_how_many_files_it_has_at_most(text):
    for heading, most in (("A model", 7), ("A stage of a study", 4)):
        block = re.search(rf"\*\*{heading}\*\*.*?\n\n((?:\d\. .*\n(?:   .*\n)*)+)", text)
        assert block, heading
        assert len(re.findall(r"^\d\. ", block[1], flags=re.MULTILINE)) == most
