import math

import pytest
import yaml

from plumbline.reporting.rendering import (
    Safe,
    bullets,
    code,
    escape,
    estimate,
    interval,
    page,
    show,
    table,
    words,
)


def test_formatting_characters_and_tags_are_shown_as_they_are():
    assert escape("a*b_c|d<e>&`") == r"a\*b\_c\|d&lt;e&gt;&amp;\`"
    assert escape("![x](y)") == r"!\[x\](y)"
    assert escape("price $1") == r"price \$1"


def test_addresses_do_not_become_links():
    assert escape("https://evil.example www.evil me@evil") == (
        "https:&#47;&#47;evil.example www&#46;evil me&#64;evil"
    )


def test_white_space_of_every_kind_becomes_one_blank():
    assert escape("a\n\n# b\u2028c\x85d") == r"a \# b c d"


def test_the_blank_inside_a_number_stays():
    assert escape("12\u202f345") == "12\u202f345"


def test_text_that_is_safe_is_not_escaped_twice():
    assert escape(escape("a_b")) == r"a\_b"
    assert escape(Safe("**b**")) == "**b**"


def test_code_that_could_break_out_is_escaped_instead():
    assert code("fid/cnn") == "`fid/cnn`"
    assert code("a`b") == r"a\`b"
    assert code("<!-- x -->") == "&lt;!-- x --&gt;"
    assert code("") == ""


def test_a_table_keeps_its_shape_whatever_the_cells_say():
    text = table(("a", "b"), [("x|y\nz", 1), (Safe("**s**"), "")])
    assert text == "| a | b |\n| --- | --- |\n| x\\|y z | 1 |\n| **s** |  |"


def test_quantities_are_named_in_words():
    assert words("true_positive_rate") == "true positive rate"
    assert words("auroc") == "AUROC"
    assert words("fid/cnn") == "Fréchet distance (cnn)"
    assert words("fid_infinity/cnn") == "extrapolated Fréchet distance (cnn)"


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (None, "", "undefined"),
        (True, "", "yes"),
        (False, "", "no"),
        (0.5, "", "0.500"),
        (12.345, "", "12.35"),
        (123.456, "", "123.5"),
        (0.001234, "", "0.0012"),
        (0.0, "", "0.000"),
        (-0.25, "", "-0.250"),
        (1234567, "", "1\u202f234\u202f567"),
        (0.95, "percent", "95 %"),
        (0.00025, "exact", "0.00025"),
        ([64, 32], "", "64, 32"),
        ([], "", "none"),
        ({"a": 1.0}, "exact", "a: 1"),
        ({}, "", "none"),
        ("relu", "", "relu"),
        (math.nan, "", "undefined"),
        (math.inf, "", "∞"),
        (-math.inf, "", "-∞"),
        (0.25, "yaml", "0.25"),
        (1e-05, "yaml", "1.0e-05"),
        (1.5e20, "yaml", "1.5e+20"),
    ],
)
def test_values_are_printed_as_a_reader_needs_them(value, form, text):
    assert show(value, form) == text


def test_numbers_in_yaml_are_those_of_pyyaml():
    for value in (0.1, 1e-05, 123456.75, 3e20, 7, -0.0):
        assert show(value, "yaml") == yaml.safe_dump(value).split()[0]


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.5, 1.5, "[0.500, 1.500]"),
        (0.5, None, "[0.500, ∞)"),
        (0.5, math.inf, "[0.500, ∞)"),
        (None, 1.5, "(-∞, 1.500]"),
        (None, None, ""),
        (math.nan, math.nan, ""),
    ],
)
def test_an_undefined_end_of_an_interval_is_open(low, high, text):
    row = {"value": 1.0, "low": low, "high": high}
    assert interval(row) == text
    assert estimate(row) == f"1.000 {text}".strip()


def test_an_undefined_value_has_no_interval():
    row = {"value": None, "low": 0.0, "high": 1.0}
    assert interval(row) == ""
    assert estimate(row) == "undefined"


def test_a_page_leaves_empty_parts_out_and_a_list_is_escaped():
    assert page(["# a", "", bullets(["x_y", Safe("*z*")])]) == "# a\n\n- x\\_y\n- *z*\n"


def test_what_cannot_be_seen_is_an_escape_sequence_in_text_code_and_values():
    assert escape("a\x1b[2J\u202eb") == r"a\\x1b\[2J\\u202eb"
    assert code("a\u202eb") == r"`a\u202eb`"
    assert show(["a\u202eb"]) == r"a\u202eb"
