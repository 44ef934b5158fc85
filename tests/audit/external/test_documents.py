"""Documents of a file have the statistics of the table it was written from."""

import numpy as np
import pandas as pd
import pytest

from plumbline.audit.counts import predictions_to_statistics
from plumbline.audit.external.documents import file_to_documents
from plumbline.errors import DataError
from tests.audit import tables
from tests.audit.external.test_decisions import written


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


def test_a_likelihood_that_is_no_number_is_told(tmp_path):
    table = tables.documents({"a": [1.0, 2.0]}).table
    path = written(tmp_path, table.assign(nll=table["nll"].where(table.index > 0)))
    with pytest.raises(DataError) as error:
        file_to_documents(
            path, nll="nll", characters="characters", document="document_id",
            attributes=("part",), max_order=1,
        )  # fmt: skip
    assert str(error.value) == (
        "audit: nll and characters of decisions.parquet must be numbers in every row, got 1 rows "
        "without; leave them out"
    )


def test_documents_without_a_column_to_group_by_are_refused(tmp_path):
    path = written(tmp_path, tables.documents({"a": [1.0, 2.0]}).table)
    with pytest.raises(DataError) as error:
        file_to_documents(
            path, nll="nll", characters="characters", document="document_id", attributes=(),
            max_order=1,
        )  # fmt: skip
    assert str(error.value) == (
        "audit: attributes must be one or more different columns, got []; name them by "
        "--attributes or --attribute"
    )
