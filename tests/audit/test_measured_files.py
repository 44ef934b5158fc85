"""Residuals and documents of a file have the statistics of the table it was written from."""

import numpy as np
import pandas as pd
import pytest

from plumbline.audit.counts import predictions_to_statistics
from plumbline.audit.measured_files import file_to_documents, file_to_residuals
from plumbline.errors import DataError
from tests.audit import tables
from tests.audit.test_files import written


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_regression_has_the_sums_of_its_table(tmp_path, form):
    predictions = tables.numbers(n=200, bias=(0.0, 0.5))
    found = file_to_residuals(
        written(tmp_path, predictions.table, form), label="y_true", prediction="y_pred",
        attributes=("sex",), max_order=1,
    )  # fmt: skip
    expected = predictions_to_statistics(predictions, max_order=1)
    pd.testing.assert_frame_equal(found.table, expected.table)
    assert found.total == expected.total


def test_documents_are_put_together_from_their_rows(tmp_path):
    predictions = tables.documents({"a": [1.0, 2.0, 1.5], "b": [2.0, 3.0]})
    found = file_to_documents(
        written(tmp_path, predictions.table), nll="nll", characters="characters",
        document="document_id", attributes=("part",), max_order=1,
    )  # fmt: skip
    expected = predictions_to_statistics(predictions, max_order=1)
    pd.testing.assert_frame_equal(found.sizes, expected.sizes)
    for part in ("a", "b"):
        own, other = (s.table[s.table["group"] == part] for s in (found, expected))
        np.testing.assert_allclose(np.sort(own["nll"]), np.sort(other["nll"]))


def test_what_is_no_number_is_told(tmp_path):
    table = tables.numbers(n=50).table
    table["y_pred"] = table["y_pred"].where(table.index > 0)
    with pytest.raises(DataError) as error:
        file_to_residuals(
            written(tmp_path, table), label="y_true", prediction="y_pred", attributes=("sex",),
            max_order=1,
        )  # fmt: skip
    assert str(error.value) == (
        "audit: label and prediction of decisions.parquet must be numbers in every row, got 1 rows "
        "without; leave them out"
    )
