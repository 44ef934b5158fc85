"""What an audit says of groups that are pooled, and of names that look alike."""

import numpy as np
import pandas as pd

from plumbline.audit.build import statistics_to_audit
from plumbline.audit.counts import contingency_to_statistics
from plumbline.audit.group_names import alike_remarks
from plumbline.audit.options import AuditOptions
from plumbline.metrics.groups import rates
from plumbline.metrics.groups.contingency import table_to_contingency


def audit_of(groups, **more):
    rng = np.random.default_rng(0)
    n = len(groups)
    table = pd.DataFrame({"g": groups, "y_true": rng.integers(2, size=n), **more})
    table["y_pred"] = rng.integers(2, size=n)
    cells = table_to_contingency(
        table, attributes=("g", *more), classes=("0", "1"), positive="1"
    )  # fmt: skip
    options = AuditOptions(confidence=0.95, replicates=200, seed=0, min_group_size=10, max_order=2)
    statistics = contingency_to_statistics(cells, max_order=2)
    return statistics_to_audit(statistics, pd.DataFrame(columns=rates.RATE_COLUMNS), options)


def test_pooled_groups_are_counted_described_and_not_compared():
    """600 groups of 11 to 20 rows: the 499 largest are compared, 101 are one group."""
    sizes = np.random.default_rng(1).integers(11, 21, size=600)
    groups = np.repeat([f"g{i:03d}" for i in range(600)], sizes)
    found = audit_of(groups)
    rest = int(np.sort(sizes)[:101].sum())
    assert found["notes"][-1] == (
        f"g has 600 groups: the 499 largest stand by themselves, the 101 smallest (n = {rest:,}) "
        "are pooled as (101 smaller groups), which is described and not compared."
    )
    own = [row for row in found["rows"] if row["group"] == "(101 smaller groups)"]
    assert {row["verdict"] for row in own} == {"insufficient"}
    assert next(row["n"] for row in own if row["metric"] == "accuracy") == rest
    assert {"attribute": "g", "group": "(101 smaller groups)", "metric": None, "n": rest,
            "reason": "several groups in one"} in found["left_out"]  # fmt: skip
    gap = next(g for g in found["gaps"] if g["metric"] == "accuracy")
    assert f"{499 * 498 // 2} pairs" in gap["reason"]


def test_a_value_that_ends_like_an_unknown_one_is_compared():
    """Only ``unknown`` itself is: ``x×unknown`` is a value, alone and in intersections."""
    groups = np.repeat(["x×unknown", "unknown", "b"], 40)
    found = audit_of(groups, h=np.tile(["k", "m"], 60))
    unknown = [entry for entry in found["left_out"] if entry["reason"] == "unknown attribute"]
    out = {(entry["attribute"], entry["group"]) for entry in unknown}
    assert out == {("g", "unknown"), ("g×h", "unknown×k"), ("g×h", "unknown×m")}
    assert (found["excluded"]["groups"], found["excluded"]["rows"]) == (1, 40)


def test_of_up_to_500_groups_nothing_is_said():
    groups = np.repeat([f"g{i:03d}" for i in range(500)], 12)
    assert not any("smaller groups" in note for note in audit_of(groups)["notes"])


def test_strata_that_are_too_many_leave_composition_out_and_this_is_said():
    found = audit_of(["a", "b"] * 3000, h=np.arange(6000).astype(str))
    assert {tuple(part["strata"]) for part in found["causes"] if part["attribute"] == "g"} == {()}
    for part in found["causes"]:
        if not part["strata"]:
            assert part["matched"] is None
            assert not {"composition", "within", "unmatched"} & part.keys()
    assert found["notes"][-1].startswith("The gap by g")
    assert found["notes"][-1].endswith(
        "is not split by composition: the other attributes make too many strata."
    )


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
