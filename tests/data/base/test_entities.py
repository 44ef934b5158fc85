"""Pseudonyms: equal entities have one, it says nothing of the name, and divided ones are found."""

import numpy as np
import pytest

from plumbline.data.base.entities import divided_rows, entity_numbers, pseudonyms


@pytest.mark.parametrize(
    "units", [["ms", "ab", "ms", "zz", "ab"], np.array([9, 4, 9, 2**64 - 1, 4], dtype=np.uint64)]
)
def test_entities_are_numbered_in_the_order_of_their_first_row(units):
    assert entity_numbers(units).tolist() == [0, 1, 0, 2, 1]
    assert pseudonyms(entity_numbers(units))[3] == "entity-0000002"


def test_other_names_give_the_same_pseudonyms():
    """So that nobody can try out names: the pseudonym is no function of them."""
    one, two = ["anna", "bert", "anna"], ["01067", "01069", "01067"]
    assert pseudonyms(entity_numbers(one)) == pseudonyms(entity_numbers(two))


def test_rows_of_divided_entities_are_found():
    split = np.array(["train", "test", "val", "train", "train", "val"], dtype=object)
    assert divided_rows(["a", "a", "b", "c", "c", "b"], split).tolist() == [0, 1]
    assert divided_rows(["a", "b", "c", "d", "e", "f"], split).tolist() == []
    assert divided_rows(np.array([7, 7], np.uint64), split[1:3]).tolist() == [0, 1]
    assert divided_rows([], np.array([], dtype=object)).tolist() == []
