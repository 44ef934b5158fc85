"""Labels of new rows are read as the training data name them."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from plumbline import names
from plumbline.artifacts import DatasetSchema
from plumbline.errors import DataError
from plumbline.monitoring.labels import label_codes, labelled_rows, labels_to_codes
from plumbline.table_files import Dialect

SCHEMA = DatasetSchema("tabular", "made_up", "binary", ("no", "yes"), ("sex",), ("x",))
NUMBERS = DatasetSchema("tabular", "d", "regression", (), (), ("x",))


def read(values, schema=SCHEMA, dialect=None):
    dialect = dialect or Dialect()
    return label_codes(pa.array(values), "label", schema, dialect)


def test_marks_of_missing_values_are_missing_labels_in_plain_and_in_dictionary_columns():
    dialect = Dialect(missing=("?",))
    assert read(["yes", "?", None, "no"], dialect=dialect).tolist() == [1, -1, -1, 0]
    encoded = pa.array(["yes", "?", "no"]).dictionary_encode()
    assert label_codes(encoded, "label", SCHEMA, dialect).tolist() == [1, -1, 0]


def test_labels_of_a_regression_are_numbers_in_the_notation_of_the_file():
    comma = Dialect(delimiter=";", decimal=",", missing=("",))
    np.testing.assert_array_equal(read(["1,5", "", "2"], NUMBERS, comma), [1.5, np.nan, 2.0])
    np.testing.assert_array_equal(read([1.5, None], NUMBERS), [1.5, np.nan])


def test_rows_without_a_label_are_left_out_and_unknown_groups_are_named():
    found = pd.DataFrame({"decision": ["yes", "no", "no"], "score": [0.9, 0.2, 0.1]})
    rows = labelled_rows(found, np.array([1, -1, 0]), {"sex": ["f", "m", None]}, SCHEMA)
    want = pd.DataFrame(
        {"score": [0.9, 0.1], "y_true": [1, 0], "y_pred": [1, 0], "sex": ["f", names.UNKNOWN]},
        index=[0, 2],
    )
    pd.testing.assert_frame_equal(rows, want)


def test_rows_without_a_number_are_left_out_of_a_regression():
    found = pd.DataFrame({"value": [1.0, 2.0]})
    rows = labelled_rows(found, np.array([np.nan, 3.0]), {}, NUMBERS)
    assert rows.to_dict("list") == {"y_true": [3.0], "y_pred": [2.0]}


def codes(labels, schema=SCHEMA, number=None):
    return labels_to_codes(labels, schema, column="label", number=number)


def test_labels_are_class_names_or_numbers_that_the_training_median_cuts():
    assert codes(["yes", None, "no"]).tolist() == [1, -1, 0]
    cut = DatasetSchema("tabular", "d", "binary", ("below_median", "above_median"), (), ("x",),
                        {"median": 141.0})  # fmt: skip
    assert codes(["150", "141", None], cut, np.array([150.0, 141.0, np.nan])).tolist() == [1, 0, -1]
    assert codes(["above_median", None], cut).tolist() == [1, -1]
    np.testing.assert_array_equal(codes(["2", None], NUMBERS, np.array([2.0, np.nan])), [2, np.nan])


def test_labels_of_no_class_are_an_error():
    with pytest.raises(DataError) as caught:
        codes(["yes", "YES"])
    assert str(caught.value) == (
        "monitor: label 'label' must be one of no, yes, got 'YES'; correct it, or name the column "
        "of the labels with --label"
    )
    with pytest.raises(DataError, match="must be a number in every row, got text"):
        codes(["a"], NUMBERS)
