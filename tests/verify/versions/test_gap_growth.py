from dataclasses import replace

import numpy as np
import pytest

from plumbline.audit.build import predictions_to_audit
from plumbline.audit.options import Margin
from plumbline.verify.versions.gap_growth import Growth, growths
from tests.registered import AUDIT, predictions

OPTIONS = replace(AUDIT, margins=(Margin(("accuracy", "selection_rate"), "difference", 0.1),))


def grown(before, after, options=OPTIONS, *, tables=True):
    audits = [predictions_to_audit(table, AUDIT) for table in (before, after)]
    pair = (replace(before, model="a"), replace(after, model="b")) if tables else None
    found, left_out = growths(*audits, pair, options)
    return {one.metric: one for one in found}, left_out


def shares_right(table) -> dict[str, float]:
    rows = table.table
    return (rows["y_true"] == rows["y_pred"]).groupby(rows["sex"]).mean().to_dict()


def test_growth_is_the_change_of_the_gap_of_the_audits():
    before, after = predictions(0.9, of_b=0.8), predictions(0.9, of_b=0.5)
    found, _ = grown(before, after)
    first, second = ({g: shares[g] for g in "ab"} for shares in map(shares_right, (before, after)))
    gaps = [abs(one["a"] - one["b"]) for one in (first, second)]
    accuracy = found["accuracy"]
    assert (accuracy.before, accuracy.after) == pytest.approx(gaps)
    assert accuracy.value == pytest.approx(gaps[1] - gaps[0])
    assert accuracy.low < accuracy.value < accuracy.high


def test_the_interval_is_that_of_the_paired_difference():
    # Group a is decided alike by both, and b better by the first: the growth is the share of rows
    # of b that only the first decides rightly, p of n, with the variance p (1 - p) / n.
    before, after = predictions(0.9, of_b=0.7), predictions(0.9, of_b=0.5)
    share = 0.2
    options = replace(OPTIONS, replicates=4000, margins=(Margin(("accuracy",), "difference", 0.1),))
    accuracy = grown(before, after, options)[0]["accuracy"]
    half = 1.96 * np.sqrt(share * (1 - share) / 200)
    assert (accuracy.high - accuracy.low) / 2 == pytest.approx(half, rel=0.1)
    assert accuracy.is_beyond
    assert accuracy.verdict == "grows beyond the margin"


def test_equal_gaps_do_not_grow_and_a_smaller_one_is_called_so():
    same = grown(predictions(0.9), predictions(0.9))[0]["accuracy"]
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert not same.is_beyond
    smaller = grown(predictions(0.9, of_b=0.6), predictions(0.9))[0]["accuracy"]
    assert smaller.value == pytest.approx(-0.3, abs=0.01)
    assert smaller.verdict == "smaller"


def test_of_several_gaps_the_intervals_hold_together():
    before, after = predictions(0.9, of_b=0.9), predictions(0.9, of_b=0.6)
    alone = grown(before, after, replace(OPTIONS, replicates=4000, margins=(
        Margin(("accuracy",), "difference", 0.1),)))[0]["accuracy"]  # fmt: skip
    among = grown(before, after, replace(OPTIONS, replicates=4000))[0]["accuracy"]
    assert among.high - among.low > 1.05 * (alone.high - alone.low)


def test_gaps_without_a_margin_are_left_out_and_insufficient_ones_are_named():
    margins = (Margin(("accuracy", "true_positive_rate"), "difference", 0.1),)
    pair = predictions(0.9, rows=80), predictions(0.8, rows=80)
    found, left_out = grown(*pair, replace(OPTIONS, margins=margins))
    assert set(found) == {"accuracy", "true_positive_rate"}
    assert left_out == []
    strict = replace(AUDIT, min_group_size=30)
    audits = [predictions_to_audit(table, strict) for table in pair]
    some, left_out = growths(*audits, None, replace(strict, margins=margins))
    assert [one.metric for one in some] == ["accuracy"]
    assert left_out == ["true_positive_rate difference by sex"]


def test_without_tables_there_is_no_interval_and_the_growth_alone_decides():
    found, _ = grown(predictions(0.9, of_b=0.9), predictions(0.9, of_b=0.6), tables=False)
    assert (found["accuracy"].low, found["accuracy"].high) == (None, None)
    assert found["accuracy"].is_beyond
    found, _ = grown(predictions(0.9, of_b=0.85), predictions(0.9, of_b=0.78), tables=False)
    assert not found["accuracy"].is_beyond
    assert found["accuracy"].verdict == "no interval"


@pytest.mark.parametrize(
    ("before", "after", "low", "margin", "beyond"),
    [
        (0.05, 0.12, 0.01, 0.1, True),  # larger than the margin, and shown to grow
        (0.05, 0.12, -0.01, 0.1, False),  # larger, but the growth may be noise
        (0.05, 0.25, -0.01, 0.1, True),  # the growth alone is larger than the margin
        (0.01, 0.09, 0.01, 0.1, False),  # grows within the margin
        (-0.05, -0.25, None, 0.1, True),  # a gap counts by its size
    ],
)
def test_a_gap_is_beyond_if_it_is_larger_than_its_margin_and_its_growth_is_no_noise(
    before, after, low, margin, beyond
):
    value = abs(after) - abs(before)
    made = Growth("sex", "tpr", "difference", before, after, value, low, low and 1.0, margin)
    assert made.is_beyond is beyond


def test_a_ratio_grows_away_from_one():
    made = Growth("sex", "accuracy", "ratio", 0.9, 0.7, 0.2, 0.1, 0.3, 0.8)
    assert made.is_beyond
    assert not replace(made, after=0.85, value=0.05).is_beyond
    options = replace(OPTIONS, margins=(Margin(("accuracy",), "ratio", 0.8),))
    found, _ = grown(predictions(0.9, of_b=0.9), predictions(0.9, of_b=0.6), options)
    accuracy = found["accuracy"]
    assert accuracy.after == pytest.approx(0.6 / 0.9, abs=0.01)
    assert accuracy.value == pytest.approx(1 - 0.6 / 0.9, abs=0.02)
    assert accuracy.low < accuracy.value < accuracy.high


def test_rows_of_one_entity_are_drawn_together():
    def clustered(table):
        people = np.repeat(np.arange(100), 4)
        return replace(table, table=table.table.assign(entity=people))

    pair = predictions(0.9, of_b=0.7), predictions(0.9, of_b=0.5)
    options = replace(OPTIONS, replicates=2000, margins=(Margin(("accuracy",), "difference", 0.1),))
    alone = grown(*pair, options)[0]["accuracy"]
    together = grown(*map(clustered, pair), options)[0]["accuracy"]
    assert together.value == pytest.approx(alone.value)
    # The four rows of an entity, two of them of b, are right or wrong together: half as many draws.
    ratio = (together.high - together.low) / (alone.high - alone.low)
    assert ratio == pytest.approx(np.sqrt(2), rel=0.15)
