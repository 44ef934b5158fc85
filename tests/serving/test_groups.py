"""Raw rows are in the groups that the audit names."""

import numpy as np
import pyarrow as pa
import pytest

from plumbline.data.tables.rows import _bands
from plumbline.errors import DataError
from plumbline.serving.groups import rows_to_groups
from plumbline.table_files import Dialect


def groups(column, known, dialect=None):
    return rows_to_groups(
        column, known, dialect=dialect or Dialect(), where="predict: attribute 'a'"
    ).tolist()


def test_text_and_codes_are_compared_as_text():
    assert groups(pa.array(["f", "x", None, ""]), ["f", "m"]) == ["f", None, None, None]
    assert groups(pa.array(["f", None, ""]), ["f", "unknown"]) == ["f", "unknown", "unknown"]
    assert groups(pa.array([1, 2, None]), ["1", "3"]) == ["1", None, None]
    assert groups(pa.array([1.0, 2.5]), ["1", "2.5"]) == ["1", "2.5"]
    assert groups(pa.array(["f", "m"]).dictionary_encode(), ["f"]) == ["f", None]


def test_numbers_are_put_into_the_bands_that_the_preparation_makes():
    numbers = pa.array([29.9, 30.0, 44.0, 45.0, 60.0, 99.0, None, float("nan")])
    codes, names = _bands(numbers, (30, 45, 60))
    want = [names[code] for code in codes]
    assert groups(numbers, [*dict.fromkeys(want)]) == want
    text = pa.array(["29,9", "30", "1.000"])
    dialect = Dialect(decimal=",", thousands=".")
    assert groups(text, names, dialect) == ["under 30", "30 to under 45", "60 and over"]
    assert groups(text, ["under 30", "60 and over"], dialect) == ["under 30", None, "60 and over"]


def test_bands_that_somebody_has_written_already_are_groups():
    assert groups(pa.array(["under 30", "40"]), ["under 30", "30 and over"]) == ["under 30", None]


def test_a_value_that_is_no_number_is_an_error_where_groups_are_bands():
    with pytest.raises(DataError) as caught:
        groups(pa.array(["forty"]), ["under 30", "30 and over"])
    assert str(caught.value) == (
        "predict: attribute 'a': must be a number, or one of under 30, 30 and over, in every row, "
        "got: 'forty'"
    )


def test_a_name_that_only_looks_like_a_band_is_a_name():
    assert groups(pa.array(["under ten"]), ["under ten", "ten and over"]) == ["under ten"]
    assert np.array(groups(pa.array(["under e"]), ["under e"])).tolist() == ["under e"]
