"""Columns of a study and their values have readable names on pages."""

import pandas as pd

from plumbline.reporting import terms

TERMS = {
    "value": "", "measure": {"acc": "accuracy"}, "net": {"": "network", "a": "first", "b": ""},
    "depth": "{} layers",
}  # fmt: skip


def test_an_empty_name_lets_the_first_setting_name_the_quantity():
    at = {"depth": 20, "net": "b", "measure": "acc"}
    assert terms.quantity(TERMS, "value", at) == "accuracy (20 layers)"
    assert terms.quantity(TERMS, "value", {"measure": "acc"}) == "accuracy"
    assert terms.quantity({}, "loss", {"width": 4}) == "loss (width 4)"


def test_a_side_without_settings_is_all_rows():
    assert terms.side(TERMS, {}) == "all rows"
    assert terms.side(TERMS, {"depth": 2, "net": "a"}) == "first, 2 layers"


def test_a_table_gets_the_names_of_columns_and_of_values_and_keeps_its_numbers():
    table = pd.DataFrame({"net": ["a", "b", "c"], "depth": [1, 2, 3], "value": [0.5, 1.5, 2.5]})
    found = terms.in_table(TERMS, table)
    assert found.to_dict("list") == {
        "network": ["first", "b", "c"], "layers": [1, 2, 3], "value": [0.5, 1.5, 2.5],
    }  # fmt: skip
