import pandas as pd

from plumbline.audit.counts import contingency_to_statistics
from plumbline.audit.group_names import alike_remarks
from plumbline.metrics.groups.contingency import table_to_contingency


def said(*groups):
    frame = pd.DataFrame({"g": groups, "y_true": 0, "y_pred": 1})
    cells = table_to_contingency(
        frame, attributes=("g",), classes=("no", "yes"), positive="yes", score=None
    )
    return list(alike_remarks(contingency_to_statistics(cells, max_order=1)))


def test_names_that_can_be_told_apart_have_no_remark():
    assert said("a", "b", "é", "e", "ab", "a b", "1", "1.0") == []


def test_names_that_differ_in_blanks_or_capitals_are_named_with_their_sizes():
    (remark,) = said("a", "a", " A", "b c", "b  c ")
    assert remark == (
        "4 groups of g differ from another one in blanks, capitals or signs that cannot be seen "
        "only: ' A' (1) and 'a' (2); 'b  c ' (1) and 'b c' (1). They are counted apart; write them "
        "alike if they are one."
    )


def test_names_that_look_the_same_are_named_by_codes():
    (remark,) = said("\u00e9", "e\u0301", "a", "\ufeffa", "x\u200b", "x")
    for shown in (
        "'e\\u0301' (1) and 'é' (1)", "'a' (1) and '\\ufeffa' (1)", "'x' (1) and 'x\\u200b' (1)"
    ):  # fmt: skip
        assert shown in remark
