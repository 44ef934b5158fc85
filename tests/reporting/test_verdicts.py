"""What an audit concluded, in counts and words."""

import pytest

from plumbline import names
from plumbline.reporting import verdicts


def gap(verdict, comparison="difference", **fields):
    return {"metric": "accuracy", "comparison": comparison, "verdict": verdict, **fields}


AUDIT = {
    "kind": names.CLASSIFICATION,
    "gaps": [
        gap("difference"), gap("inconclusive"), gap("inconclusive"), gap("difference", "ratio"),
    ],
    "rows": [
        {"attribute": attribute, "group": group}
        for attribute, groups in (("sex", "f m x unknown"), ("age_band", "young old"))
        for group in groups.split()
    ],
    "left_out": [
        {"attribute": "sex", "group": "x", "metric": None, "n": 4, "reason": "under 10"},
        {"attribute": "sex", "group": "unknown", "metric": None, "n": 1200,
         "reason": "unknown attribute"},
        {"attribute": "age_band", "group": "old", "metric": "auroc", "n": 3,
         "reason": "undefined: no cases"},
        {"attribute": "age_band", "group": "old", "metric": "true_positive_rate", "n": 3,
         "reason": "under 10 positives"},
    ],
    "margins": [
        {"metrics": ["accuracy"], "comparison": "difference", "margin": 0.1,
         "source": "engineering", "rationale": "ten in a hundred"},
        {"metrics": ["accuracy", "auroc"], "comparison": "difference", "margin": 0.2,
         "source": "guideline", "rationale": ""},
        {"metrics": ["accuracy"], "comparison": "ratio", "margin": 0.8, "source": "default",
         "rationale": ""},
    ],
}  # fmt: skip


def test_all_four_verdicts_are_counted_over_differences_and_over_ratios():
    assert verdicts.counted(AUDIT) == (
        "3 as highest − lowest: 1 difference, 0 equivalent, 2 inconclusive, 0 insufficient; "
        "1 as lowest / highest: 1 difference, 0 equivalent, 0 inconclusive, 0 insufficient"
    )
    assert verdicts.counted({"gaps": []}) == "none was computed"
    assert tuple(verdicts.MEANING) == names.VERDICTS


def test_groups_and_rows_that_no_comparison_holds_are_counted_by_attribute():
    assert verdicts.excluded(AUDIT) == [
        "by sex: 1 of 3 groups, 4 rows, in every metric; "
        "1\u202f200 rows without a value of the attribute",
        "by age band: 1 of 2 groups in some metrics",
    ]
    assert verdicts.excluded({**AUDIT, "entities": 50})[0].startswith(
        "by sex: 1 of 3 groups, 4 ent"
    )
    documents = verdicts.excluded({**AUDIT, "kind": names.LANGUAGE})[0]
    assert documents.startswith("by sex: 1 of 3 groups, 4 documents, in every metric")
    assert verdicts.excluded({**AUDIT, "left_out": []}) == []


def test_a_gap_in_representation_is_of_the_one_group_that_has_its_value():
    rows = [
        {"attribute": "slant", "group": group, "metric": names.REPRESENTATION_GAP, "value": value}
        for group, value in (("left", -0.3), ("right", 0.2), ("upright", 0.1))
    ]
    share = {"attribute": "slant", "metric": names.REPRESENTATION_GAP, "value": 0.2}
    assert verdicts.deviating({"rows": rows}, share) == "right"
    assert verdicts.deviating({"rows": rows}, {**share, "value": None}) == ""
    assert verdicts.deviating({"rows": rows}, {**share, "metric": names.ACCURACY}) == ""


def test_of_several_margins_of_a_metric_the_first_is_told_with_its_source():
    assert verdicts.margins(AUDIT) == [
        "difference in accuracy: at most 0.1 (engineering: ten in a hundred)",
        "ratio in accuracy: from 0.8 to 1.250 (default)",
    ]


@pytest.mark.parametrize(
    ("found", "told", "smallest"),
    [
        (
            gap("difference", within_margin=True, detectable=0.1),
            "difference, within the margin",
            "",
        ),
        (gap("difference", within_margin=False, detectable=0.1), "difference", ""),
        (gap("inconclusive", within_margin=False, detectable=0.784), "inconclusive", "0.784"),
        (gap("inconclusive", within_margin=None, detectable=None), "inconclusive", ""),
        (gap("equivalent", within_margin=True, detectable=0.1), "equivalent", ""),
    ],
)
def test_an_inconclusive_gap_is_told_with_what_would_have_been_shown(found, told, smallest):
    assert (verdicts.verdict_text(found), verdicts.detectable(found)) == (told, smallest)
