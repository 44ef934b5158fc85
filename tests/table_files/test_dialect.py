"""A dialect is what a CSV can be written in."""

import pytest

from plumbline.errors import DataError
from plumbline.params.own_data import CsvSource
from plumbline.table_files import Dialect
from tests.data.table_files import CSV

ONE = "delimiter must be one ASCII character, no quote and no line end, got"
FAULTS = [
    ({"delimiter": ";;"}, f"{ONE} ';;'"),
    ({"delimiter": '"'}, ONE + " '\"'"),
    ({"delimiter": "§"}, ONE + " '§'"),
    ({"encoding": "utf-9"}, "encoding must be one of text that Python knows, got 'utf-9'"),
    ({"encoding": "rot13"}, "encoding must be one of text that Python knows, got 'rot13'"),
    ({"encoding": "undefined"}, "encoding must be one of text that Python knows, got 'undefined'"),
    ({"decimal": ";"}, "decimal must be '.' or ',', got ';'"),
    ({"thousands": "."}, "thousands must be another sign than decimal, got '.' for both"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "sentence"), FAULTS)
def test_other_signs_are_refused(given, sentence):
    with pytest.raises(DataError) as error:
        Dialect(**given)
    assert str(error.value) == f"table: {sentence}"


@pytest.mark.parametrize(("given", "sentence"), FAULTS)
def test_parameters_of_an_own_table_are_checked_by_the_same_rule(given, sentence):
    with pytest.raises(ValueError, match="must be") as error:
        CsvSource.model_validate({**CSV, **given})
    if "encoding" not in given:  # which is checked for every file of one's own
        assert sentence in str(error.value)
