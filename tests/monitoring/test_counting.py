"""Rows counted in blocks are the rows counted by pandas."""

from dataclasses import replace

import numpy as np
import pytest

from plumbline.data.tables.encoding import RawColumns
from plumbline.monitoring import training
from plumbline.monitoring.counting import NewRows
from tests.monitoring import tables


@pytest.fixture
def data(tmp_path):
    return tables.prepare(tmp_path / "tabular", tables.raw(300, seed=1))


def counts(data, rows, size=64, columns=None):
    found = NewRows(columns or RawColumns.read(data), training.summarise(data), ("sex",))
    for start in range(0, len(rows), size):
        found.add(tables.arrow(rows[start : start + size]), where="monitor")
    return found


def test_blocks_add_up_to_missing_values_cells_categories_and_groups(data):
    rows = tables.raw(500, seed=2, shift=1.0)
    rows.loc[5, ["city", "sex"]] = None
    rows.loc[6, ["city", "sex"]] = ["Oslo", "x"]
    found = counts(data, rows)
    edges = np.array(training.summarise(data)["columns"]["age"]["edges"])
    age, known = found.columns["age"], rows["age"].dropna().to_numpy()
    assert found.rows == 500
    assert (age.missing, age.present) == (500 - len(known), len(known))
    assert age.below.tolist() == [(known < edge).sum() for edge in edges]
    assert age.at_most.tolist() == [(known <= edge).sum() for edge in edges]
    assert age.outside == ((known < edges[0]) | (known > edges[-1])).sum()
    city = found.columns["city"]
    assert (city.missing, city.other, city.present) == (1, 1, 499)
    assert city.categories == rows["city"].value_counts().drop("Oslo").to_dict()
    sexes = rows["sex"].value_counts()
    assert found.groups["sex"] == {"f": sexes["f"], "m": sexes["m"], "unknown": 1, None: 1}


def test_a_row_without_a_value_that_must_be_there_is_counted_and_marked(data):
    columns = replace(RawColumns.read(data), refuse_missing=frozenset({"age"}))
    rows = tables.raw(40, seed=3)
    new = NewRows(columns, training.summarise(data), ())
    groups, refused = new.add(tables.arrow(rows), where="monitor")
    assert groups == {}
    assert refused.tolist() == rows["age"].isna().tolist()
    assert new.columns["age"].missing == refused.sum() > 0
