import logging
import shutil

import pytest

from plumbline import artifacts, names
from plumbline.reporting.cards.card import render_card
from plumbline.reporting.cards.check import check_files, main


@pytest.fixture
def root(tree, tmp_path):
    ignore = shutil.ignore_patterns("*.parquet", "*.npy", "*.npz")
    copy = shutil.copytree(tree, tmp_path / "copy", ignore=ignore)
    text = render_card("fnn", root=copy, owner="o", contact="c", licence="mit")
    artifacts.write_text(copy / names.CARDS / "fnn.md", text)
    return copy


def test_all_cards_and_the_page_are_checked_when_none_is_named(root, caplog):
    with caplog.at_level(logging.INFO):
        assert main([], root) == 0
    assert "0 disagree with their file" in caplog.messages[-1]


def test_a_card_that_disagrees_gives_exit_code_1_and_its_name(root, caplog):
    path = root / "reports/metrics/fnn.json"
    artifacts.write_json(path, {**artifacts.read_json(path), "n": 7})
    assert main([str(root / names.CARDS / "fnn.md")], root) == 1
    assert caplog.messages[0].startswith("fnn.md: reports/metrics/fnn.json#n: value must be 7, got")


def test_nothing_to_check_is_not_a_success(tmp_path):
    assert main([], tmp_path) == 1


def test_a_page_is_read_as_html(root, tmp_path):
    page = tmp_path / "index.html"
    page.write_text('<data value="7" data-ref="reports/metrics/fnn.json#n">7</data>')
    total, faults = check_files([page], root)
    assert total == 1
    assert len(faults) == 1
