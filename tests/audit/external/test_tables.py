"""Values of files, as they become classes and groups."""

import pandas as pd
import pytest

from plumbline import names
from plumbline.audit.external.decisions import Columns, file_to_contingency
from plumbline.metrics.groups import contingency
from tests.audit.external.test_decisions import people, written


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_labels_that_only_floats_cannot_tell_apart_are_two_classes(tmp_path, form):
    """9007199254740993 is no double, 1E5 and 1_0 are numbers to Python alone, 007 is a code."""
    for one, other in (("007", "7"), ("9007199254740992", "9007199254740993"),
                       ("1E5", "100000"), ("1_0", "10")):  # fmt: skip
        table = people(400)
        for column in ("y", "yhat"):
            table[column] = table[column].map({0: one, 1: other})
        found = file_to_contingency(
            written(tmp_path, table, form), Columns("y", ("sex",), "yhat"), positive=other
        )
        assert found.classes == (one, other)
        assert found.n[found.true == 1].sum() == (table["y"] == other).sum()


@pytest.mark.parametrize("positive", ["True", "true", "1", "1.0"])
def test_truths_may_be_named_in_any_way(tmp_path, positive):
    table = people(400)
    table = table.assign(y=table["y"] == 1, yhat=table["yhat"].astype(float))
    found = file_to_contingency(
        written(tmp_path, table), Columns("y", ("sex",), "yhat"), positive=positive
    )
    assert (found.classes, found.positive) == (("0", "1"), "1")


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([1.0, 2.0, None], ("1", "2", names.UNKNOWN)),
        ([1.0, 2.5, None], ("1.0", "2.5", names.UNKNOWN)),
        ([1, 2, 2], ("1", "2")),
        ([True, False, True], ("false", "true")),
        (["007", "7", "07"], ("007", "07", "7")),
        (["1.0", "1", "1E0"], ("1", "1.0", "1E0")),
        ([" Female", "Female", "FEMALE"], (" Female", "FEMALE", "Female")),
        ([2.0**53, 1.0, 2.0], ("1.0", "2.0", "9007199254740992.0")),
    ],
)
def test_groups_are_shown_as_the_file_has_them(tmp_path, values, shown):
    table = pd.DataFrame({"g": values * 20, "y": [0, 1, 1] * 20, "yhat": [1, 0, 1] * 20})
    found = file_to_contingency(written(tmp_path, table), Columns("y", ("g",), "yhat"))
    assert found.values == (shown,)
    counted = contingency.table_to_contingency(
        table.assign(y_true=table["y"], y_pred=table["yhat"]),
        attributes=("g",), classes=("0", "1"), positive="1",
    )  # fmt: skip
    assert [v.lower() for v in counted.values[0]] == [v.lower() for v in shown]
