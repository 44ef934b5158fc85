"""Which texts of labels and decisions are one class."""

import numpy as np
import pytest

from plumbline.audit.external.classes import class_of, classes_of, common_classes
from plumbline.errors import DataError


@pytest.mark.parametrize(
    ("labels", "decisions"),
    [
        (["007", "7"], ["7"]),
        (["9007199254740992", "9007199254740993"], ["9007199254740993"]),
        (["1E5", "100000"], ["100000"]),
        (["1_0", "10"], ["10"]),
        (["+1", "1"], ["1"]),
        (["1", "0"], ["yes", "no"]),
        (["1", "0"], ["1", "0", "?"]),
        (["true", "1"], ["0"]),
        (["true", "false"], ["1", "2"]),
        (["nan", "inf"], ["1"]),
        ([" yes", "yes"], ["Yes"]),
        (["١", "1"], ["1"]),
        (["1,5", "1.5"], ["1.5"]),
        (["", "1"], ["1"]),
    ],
)
def test_texts_are_compared_as_they_are(labels, decisions):
    assert common_classes(labels, decisions) == {x: x for x in [*labels, *decisions]}


@pytest.mark.parametrize(
    ("labels", "decisions", "classes"),
    [
        (["1", "0"], ["1.0", "0.0"], {"1", "0"}),
        (["True", "False"], ["1", "0"], {"1", "0"}),
        (["TRUE", "FALSE"], ["true", "false"], {"1", "0"}),
        (["1.0", "0.0"], ["true", "false"], {"1", "0"}),
        (["1", "0"], [" 1", " 0"], {"1", "0"}),
        (["-1.0", "1.0"], ["-1", "1"], {"-1", "1"}),
        (["0", "-0.0"], ["0.00"], {"0"}),
        (["0.5", "0.50"], ["1.5"], {"0.5", "1.5"}),
        (["100", "10"], ["100.0"], {"100", "10"}),
    ],
)
def test_columns_of_numbers_and_of_truths_are_compared_by_value(labels, decisions, classes):
    assert set(common_classes(labels, decisions).values()) == classes


def test_numbers_are_one_class_where_python_compares_them_equal_as_fractions():
    from fractions import Fraction

    rng = np.random.default_rng(0)
    texts = [f"{rng.integers(-20, 20)}.{rng.integers(0, 100):02d}" for _ in range(300)]
    texts += [str(2**53 + i) for i in range(20)] + [str(i) for i in range(-20, 20)]
    known = common_classes(texts[::2], texts[1::2])
    by_value = {text: Fraction(text) for text in texts}
    for one in texts[::7]:
        for other in texts:
            assert (known[one] == known[other]) == (by_value[one] == by_value[other])


@pytest.mark.parametrize(
    ("given", "classes", "meant"),
    [
        ("True", {"0", "1"}, "1"),
        ("false", {"0", "1"}, "0"),
        ("1.0", {"0", "1"}, "1"),
        ("1.0", {"1", "2"}, "1"),
        ("True", {"1", "2"}, "True"),
        ("7", {"007", "7"}, "7"),
        ("7.0", {"007", "8"}, "7.0"),
        ("1E5", {"1E5", "100000"}, "1E5"),
        ("True", {"True", "maybe"}, "True"),
        ("yes", {"Yes", "No"}, "yes"),
    ],
)
def test_the_favourable_value_is_named_by_the_same_rule(given, classes, meant):
    assert class_of(given, classes) == meant


def test_values_that_look_alike_are_quoted_in_a_refusal():
    with pytest.raises(DataError) as error:
        classes_of(["yes", " yes", "no"], ["no"], None, multiclass=False)
    assert str(error.value) == (
        "audit: label must have two values, got 3: ' yes', no, yes; to count each class against "
        "the rest use plumbline audit --multiclass"
    )
