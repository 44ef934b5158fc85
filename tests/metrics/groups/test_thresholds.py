"""Another threshold of the scores is what the table would have been with it."""

import pytest

from plumbline.errors import MetricError
from plumbline.metrics.groups import score_bins
from plumbline.metrics.groups.thresholds import decide
from tests.metrics.groups.test_contingency import counted, people, same


@pytest.mark.parametrize("threshold", [0.0, 0.137, 0.5, 0.999, 1.0])
@pytest.mark.parametrize("exact", [True, False])
def test_a_threshold_is_what_it_would_have_been(threshold, exact, monkeypatch):
    monkeypatch.setattr(score_bins, "EXACT", 10**6 if exact else 1)
    table = people()
    moved = decide(counted(table), threshold)
    again = counted(table.assign(y_pred=(table["score"] >= threshold).astype(int)))
    assert same(moved, again)


def test_groups_may_have_thresholds_of_their_own():
    table = people()
    cut = {"female": 0.3, "male": 0.7}
    moved = decide(counted(table), cut, attribute="sex")
    selected = table["score"] >= table["sex"].map(cut)
    assert same(moved, counted(table.assign(y_pred=selected.astype(int))))


def test_a_threshold_inside_a_bin_is_refused(monkeypatch):
    monkeypatch.setattr(score_bins, "EXACT", 1)
    with pytest.raises(MetricError) as error:
        decide(counted(people()), 0.50001)
    assert str(error.value) == (
        "counts: threshold must be a multiple of 1/3000, as the scores are in bins, got 0.50001; "
        "the nearest edge is 0.5"
    )


def test_a_table_without_scores_has_no_threshold():
    with pytest.raises(MetricError) as error:
        decide(counted(people(), score=None), 0.5)
    assert str(error.value) == (
        "counts: a threshold must be set on the scores of two classes, got none; count scores"
    )
