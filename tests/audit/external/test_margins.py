"""Large tables, counted by their combinations of attributes."""

import numpy as np
import pandas as pd
import pytest

from plumbline.audit.external import decisions, margins
from plumbline.audit.external.decisions import Columns, file_to_contingency
from plumbline.audit.external.residuals import file_to_residuals
from plumbline.metrics.groups import confusions, discrimination, score_bins
from tests.audit.external.test_decisions import written


def crossed(rng, n=4000, values=40):
    drawn = rng.integers(values, size=(n, 3)) ** 2 // values
    table = pd.DataFrame({f"k{i}": [f"v{v:02d}" for v in drawn[:, i]] for i in range(3)})
    table["k0"] = table["k0"].mask(drawn[:, 0] == 3)
    p = rng.random(n).round(2)
    return table.assign(y=rng.integers(2, size=n), yhat=(p >= 0.5).astype(int), p=p,
                        w=rng.gamma(2, size=n))  # fmt: skip


@pytest.mark.no_cover
@pytest.mark.parametrize("extra", [{}, {"weight": "w"}, {"score": "p"}])
@pytest.mark.parametrize("most", [25, 10_000])
@pytest.mark.parametrize("large", [False, True])
def test_combinations_counted_one_by_one_are_those_of_the_whole_table(
    tmp_path, monkeypatch, extra, most, large
):
    path = written(tmp_path, crossed(np.random.default_rng(0)))
    columns = Columns("y", ("k0", "k1", "k2"), "yhat", **extra)
    if large:
        monkeypatch.setattr(decisions, "_SMALL_FILE", 0)
        monkeypatch.setattr(score_bins, "EXACT", 1)
    monkeypatch.setattr(score_bins, "COARSE", score_bins.fine())
    whole = file_to_contingency(path, columns, max_order=2, most=most)
    monkeypatch.setattr(margins, "WHOLE", 100)
    found = file_to_contingency(path, columns, max_order=2, most=most)
    assert not whole.margins
    assert all(len(own.values[0]) <= most for own in found.margins)
    assert len(found.margins) == 6
    assert found.codes.shape[1] == 0
    options = {"max_order": 2, "overall": True}
    pd.testing.assert_frame_equal(
        confusions.contingency_to_counts(found, **options),
        confusions.contingency_to_counts(whole, **options),
    )
    if "score" in extra:
        pd.testing.assert_frame_equal(
            discrimination.score_moments(found, max_order=2),
            discrimination.score_moments(whole, max_order=2),
        )


def test_a_table_of_many_combinations_has_no_more_cells_than_groups(tmp_path, monkeypatch):
    """As 20 million rows of three columns of 500 values, which had 19 million cells."""
    monkeypatch.setattr(margins, "WHOLE", 100)
    path = written(tmp_path, crossed(np.random.default_rng(1), n=20_000))
    columns = Columns("y", ("k0", "k1", "k2"), "yhat")
    found = file_to_contingency(path, columns, max_order=2, most=30)
    assert [len(own.values[0]) for own in found.margins] == [30] * 6
    assert sum(len(own.n) for own in found.margins) == 6 * 30 * 4
    assert all(own.total == found.total == 20_000 for own in found.margins)


@pytest.mark.no_cover
@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize("most", [25, 10_000])
def test_residuals_counted_one_by_one_are_those_of_the_whole_table(
    tmp_path, monkeypatch, weight, most
):
    path = written(tmp_path, crossed(np.random.default_rng(0)))
    options = {"label": "y", "prediction": "p", "attributes": ("k0", "k1", "k2"), "max_order": 2,
               "weight": weight, "most": most}  # fmt: skip
    whole = file_to_residuals(path, **options)
    monkeypatch.setattr(margins, "WHOLE", 100)
    found = file_to_residuals(path, **options)
    several = whole.table["n"] > 2  # of one row the spread is a difference of roundings
    # Cubes of few small numbers have fewer digits than those of large ones, see `relations.group`.
    pd.testing.assert_frame_equal(found.table[several], whole.table[several], rtol=1e-5)
    values = ["residual", "absolute", "square", "prediction", "residual_variance"]
    pd.testing.assert_frame_equal(
        found.table.loc[several, values], whole.table.loc[several, values], rtol=1e-9
    )
    pd.testing.assert_frame_equal(found.sizes, whole.sizes)
    assert found.spread == pytest.approx(whole.spread)
    assert (found.table.groupby("attribute")["n"].sum() == 4000).all()


def test_scores_of_large_tables_are_in_coarser_bins_that_the_interval_allows_for(
    tmp_path, monkeypatch
):
    rng = np.random.default_rng(3)
    table = crossed(rng, n=6000)
    table["p"] = 1 / (1 + np.exp(-rng.normal(size=6000) - table["y"]))
    path = written(tmp_path, table)
    columns = Columns("y", ("k0", "k1"), "yhat", score="p")
    exact = discrimination.score_moments(file_to_contingency(path, columns), max_order=1)
    monkeypatch.setattr(margins, "WHOLE", 100)
    found = file_to_contingency(path, columns, max_order=1)
    coarse = discrimination.score_moments(found, max_order=1)
    assert len(found.edges) <= 2 * 1000 + 301
    off = (coarse["area"] - exact["area"]).abs()
    assert 0 < off[0] <= 2 / 3000
    assert (off[exact["area"].notna()] <= coarse["bound"][exact["area"].notna()] + 1e-12).all()
