import re

import pytest

from plumbline import names
from plumbline.reporting.figures import forest, style


def row(attribute, group, metric, value, *, n=50, verdict=None, low=None, high=None):
    return {"attribute": attribute, "group": group, "metric": metric, "value": value, "n": n,
            "low": low, "high": high, "verdict": verdict}  # fmt: skip


def audit(rows, worst=None):
    return {"rows": rows, "worst": worst}


def texts(drawn):
    return re.findall(r">([^<>]+)</text>", style.svg(drawn))


SEX = [
    row("overall", "all", "accuracy", 0.7, low=0.6, high=0.8),
    row("sex", "female", "accuracy", 0.6, low=0.5, high=0.7, n=4321),
    row("sex", "male", "accuracy", 0.8, low=0.7, high=0.9),
    row("sex", "unknown", "accuracy", None, n=1, verdict="insufficient"),
    row("sex×age", "male×60+", "accuracy", 0.9, low=0.8, high=1.0),
]


def test_a_forest_names_every_group_its_size_and_what_is_undefined():
    found = texts(forest.audit_panels(audit(SEX), ["accuracy"]))
    for text in ("accuracy", "sex", "female", "male", "unknown", "4,321", "undefined"):
        assert text in found
    assert "male×60+" not in found
    assert "all" not in found


@pytest.mark.parametrize(
    ("verdict", "marker", "edge", "fill"),
    [
        (names.DIFFERENCE, "D", style.DIFFERS, style.DIFFERS),
        (names.EQUIVALENT, "s", style.EQUIVALENT, style.EQUIVALENT),
        (names.INCONCLUSIVE, "o", style.SOFT, style.SOFT),
        (names.INSUFFICIENT, "o", style.FAINT, style.PAPER),
        (None, "o", style.INK, style.INK),
    ],
)
def test_a_marker_has_the_colour_of_its_verdict(verdict, marker, edge, fill):
    rows = [row("a", "b", "accuracy", 0.5, low=0.1, high=0.9, verdict=verdict)]
    (mark,) = [
        line
        for line in forest.audit_panels(audit(rows), ["accuracy"]).axes[0].lines
        if line.get_marker() not in ("None", "", None)
    ]
    assert (mark.get_marker(), mark.get_markeredgecolor(), mark.get_markerfacecolor()) == (
        marker, edge, fill
    )  # fmt: skip


def test_the_reference_line_is_everyone_or_zero_where_zero_is_meant():
    assert forest.overall(audit(SEX), "accuracy") == 0.7
    assert forest.overall(audit(SEX), names.REPRESENTATION_GAP) == 0.0
    assert forest.overall(audit(SEX[1:]), "accuracy") is None
    assert forest.overall(audit([row("overall", "all", "accuracy", None)]), "accuracy") is None


def test_the_metric_of_the_worst_gap_is_always_drawn():
    metrics = [*names.GROUP_RATES, "another"]
    rows = [row("a", "b", metric, 0.5) for metric in metrics]
    assert forest.audit_metrics(audit(rows)) == [
        names.SELECTION_RATE, names.TPR, names.FPR, names.ACCURACY
    ]  # fmt: skip
    worst = {"metric": "another"}
    assert forest.audit_metrics(audit(rows, worst))[-1] == "another"
    assert len(forest.audit_metrics(audit(rows, worst))) == forest.MAX_PANELS


def test_a_generators_shares_are_drawn_as_their_difference_and_its_distance_beside_zero():
    kid = names.generative(names.KID)
    rows = [
        row("slant", "left", metric, value)
        for metric, value in (
            (names.SHARE, 0.5), (names.REFERENCE_SHARE, 0.4), (names.REPRESENTATION_GAP, 0.1),
            (kid, 3.0), ("overall", 2.0),
        )
    ]  # fmt: skip
    assert forest.audit_metrics(audit(rows[:-1])) == [names.REPRESENTATION_GAP, kid]
    assert forest.overall(audit([*rows, row("overall", "all", kid, 2.0)]), kid) == 0.0


def test_of_very_many_groups_the_largest_are_drawn():
    rows = [row("a", f"g{i}", "accuracy", 0.5, n=i) for i in range(200)]
    found = [t for t in texts(forest.audit_panels(audit(rows), ["accuracy"])) if t[0] == "g"]
    assert found == [f"g{i}" for i in range(200 - forest.MAX_GROUPS, 200)]


def test_long_and_empty_names_stay_readable():
    rows = [row("a", "x" * 60, "accuracy", 0.5), row("a", "", "accuracy", 0.5)]
    found = texts(forest.audit_panels(audit(rows), ["accuracy"]))
    assert "x" * 25 + "…" in found
    assert "(empty)" in found
