import shutil

import pytest

from plumbline import artifacts, names
from plumbline.errors import ArtifactError
from plumbline.reporting import comparisons
from plumbline.reporting.cards.check import check_cards
from plumbline.reporting.references import Book, separate
from tests.reporting.cards.test_card import write


@pytest.fixture
def copy(small_tree, tmp_path):
    return shutil.copytree(small_tree, tmp_path / "copy")


def change(root, models=("baseline", "fnn"), **fields):
    """Set fields of the difference of the network from the baseline in the main metric."""
    path = root / names.COMPARISONS / "tabular.json"
    report = artifacts.read_json(path)
    row = next(r for r in report["differences"] if r["model"] == "fnn" and "verdict" in r)
    row |= fields
    report["models"] = list(models)
    artifacts.write_json(path, report)


def told(root):
    return separate(comparisons.from_baseline(Book(root), "fnn").sentence())[0]


def test_a_verdict_is_told_with_the_difference_and_its_interval(copy):
    change(copy, value=0.05, low=0.02, high=0.08, verdict=names.BETTER)
    assert told(copy) == (
        "The AUROC is better than that of classical models: difference 0.050 [0.020, 0.080]."
    )
    change(copy, value=-0.05, low=-0.08, high=-0.02, verdict=names.WORSE)
    assert told(copy) == (
        "The AUROC is worse than that of classical models: difference -0.050 [-0.080, -0.020]."
    )


def test_no_shown_difference_is_not_called_equality(copy):
    change(copy, value=0.05, low=-0.02, high=0.12, verdict=names.INCONCLUSIVE)
    assert told(copy) == (
        "The difference in AUROC from classical models is inconclusive: 0.050 [-0.020, 0.120]. "
        "This does not prove that they are equal."
    )
    change(copy, models=("baseline", "fnn", "svm", "tree"), low=0.001)
    assert told(copy) == (
        "The difference in AUROC from classical models is inconclusive: 0.050 [0.001, 0.120]; "
        "the interval excludes 0, but not with all 6 pairs of models allowed for. "
        "This does not prove that they are equal."
    )
    change(copy, low=None, high=None, verdict=names.INSUFFICIENT)
    assert told(copy) == (
        "The test rows cannot tell the AUROC of this model and of classical models apart: no "
        "interval of their difference can be estimated."
    )


def test_a_card_has_every_difference_with_a_reference_to_its_file(copy):
    path = write(copy)
    text = path.read_text(encoding="utf-8")
    section = text.partition("### Compared with\n")[2].partition("\n## ")[0]
    report = artifacts.read_json(copy / names.COMPARISONS / "tabular.json")
    own = [row for row in report["differences"] if row["model"] == "fnn"]
    assert len(own) == 7
    assert "on the same test rows, with the paired interval of each alone" in section
    assert section.count("| classical models |") == len(own)
    total, faults = check_cards(copy, [path])
    assert (total > 2 * len(own), faults) == (True, [])
    change(copy, value=0.123)
    faults = check_cards(copy, [path])[1]
    assert faults
    assert all("reports/comparisons/tabular.json#differences." in fault for fault in faults)


def test_a_model_without_a_baseline_says_so(tree, tmp_path):
    copy = shutil.copytree(tree, tmp_path / "copy")
    assert comparisons.differences(Book(copy), "backbone") == []
    assert comparisons.from_baseline(Book(copy), "cnn") is None
    assert "on the same test documents, with" in write(copy, "rnn").read_text(encoding="utf-8")
    text = write(copy, "gan").read_text(encoding="utf-8")
    assert "This model has no baseline in the catalogue." in text


def test_a_missing_comparison_is_named(copy):
    (copy / names.COMPARISONS / "tabular.json").unlink()
    with pytest.raises(ArtifactError) as error:
        comparisons.differences(Book(copy), "fnn")
    assert str(error.value) == (
        f"tabular.json: file must exist, got none at {(copy / names.COMPARISONS).as_posix()}/; "
        "run the stage that makes it"
    )
