import shutil

import pytest

from plumbline import artifacts, names
from plumbline.errors import ArtifactError
from plumbline.reporting.cards.card import render_card
from plumbline.reporting.cards.check import REFERENCES, check_cards
from plumbline.reporting.site.page import render_site


@pytest.fixture
def root(small_tree, tmp_path):
    copy = shutil.copytree(small_tree, tmp_path / "copy")
    text, references = render_card("fnn", root=copy, owner="o", contact="c", licence="mit")
    artifacts.write_text(copy / names.CARDS / "fnn.md", text)
    artifacts.write_json(copy / names.CARDS / f"fnn{REFERENCES}", references)
    artifacts.write_text(copy / names.SITE, render_site(copy, title="plumbline"))
    return copy


def test_all_cards_and_the_page_are_checked_without_a_path(root):
    total, faults = check_cards(root)
    assert faults == []
    assert total > check_cards(root, [root / names.CARDS / "fnn.md"])[0] > 20


def test_a_number_that_differs_is_named_with_card_and_page(root):
    path = root / "reports/metrics/fnn.json"
    metrics = artifacts.read_json(path)
    metrics["metrics"]["auroc"]["value"] *= 1 + 1e-6
    artifacts.write_json(path, metrics)
    faults = check_cards(root)[1]
    assert {fault.partition(":")[0] for fault in faults} == {"fnn.md", "index.html"}
    assert all("fnn.json#metrics.auroc.value: value must be" in fault for fault in faults)


def test_a_card_without_its_references_is_an_error(root):
    (root / names.CARDS / f"fnn{REFERENCES}").unlink()
    with pytest.raises(ArtifactError, match=r"fnn\.refs\.json: file must exist"):
        check_cards(root)


def test_without_cards_nothing_is_counted(tmp_path):
    assert check_cards(tmp_path) == (0, [])
