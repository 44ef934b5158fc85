"""The page of the fairness laboratory; tests/reporting/test_fairness.py checks its sections."""

import re

import pytest

from plumbline.errors import ArtifactError
from plumbline.params.studies import STUDIES
from plumbline.reporting.references import check_html
from plumbline.reporting.site.lab_page import render_lab
from plumbline.reporting.site.page import LABS
from tests.reporting.site.test_page import Page


@pytest.fixture(scope="module")
def text(tree):
    return render_lab(tree, "fairness", title="plumbline")


def test_every_laboratory_has_a_page():
    assert set(LABS) == set(STUDIES)


def test_individual_fairness_is_shown_per_model(tree, text):
    assert check_html(text, tree) == []
    assert Page(text).faults == []
    plain = " ".join(re.sub(r"<[^>]+>", "", text).split())
    assert "Over the 5 nearest neighbours of each row: consistency of decisions 0.750" in plain
    assert "sex code 1 set to code 2: 0.750" in plain
    assert plain.count("Not tested, as no feature defines them: sex.") == 1


def test_an_unknown_laboratory_is_refused(tree):
    with pytest.raises(ArtifactError) as caught:
        render_lab(tree, "alchemy", title="plumbline")
    assert (
        str(caught.value) == f"report: laboratory must be one of {', '.join(LABS)}, got 'alchemy'"
    )
