"""Drift is found where it is, and not where it is not: simulations with real encoders."""

from functools import cache

import numpy as np
import pytest
from scipy import stats

from plumbline.data.tables.encoding import RawColumns
from plumbline.monitoring import comparisons, training
from plumbline.monitoring.comparisons import DRIFTED, TOO_FEW, WITHIN, Smallest, to_lines
from plumbline.monitoring.counting import NewRows
from plumbline.monitoring.pairs import (
    NO_GROUP,
    pair_labels,
    pair_with_reference,
    pair_with_training,
)
from tests.monitoring import tables

RELEVANT = Smallest(0.1, 0.05, 0.1)
ANY = Smallest(1e-9, 1e-9, 1e-9)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    @cache
    def fit(count, seed):
        folder = tmp_path_factory.mktemp("tables") / "tabular"
        data = tables.prepare(folder, tables.raw(count, seed=seed))
        return RawColumns.read(data), training.summarise(data)

    return fit


def lines(model, rows, smallest=RELEVANT):
    columns, summary = model
    new = NewRows(columns, summary, ("sex",))
    new.add(tables.arrow(rows), where="monitor")
    return to_lines(list(pair_with_training(new, summary, smallest)), confidence=0.95)


def drifted(found):
    return [(line.part, line.name) for line in found if line.verdict == DRIFTED]


@pytest.mark.slow
def test_without_a_change_any_alarm_comes_in_at_most_one_of_twenty_files(fitted):
    """Every change counts as relevant here, so that each of 200 files could give an alarm."""
    alarms = sum(
        bool(drifted(lines(fitted(400, seed), tables.raw(300, seed=1000 + seed), ANY)))
        for seed in range(200)
    )
    print(f"{alarms} alarms in 200 files")
    assert alarms <= 10


def test_with_the_smallest_relevant_change_no_alarm_comes_without_a_change(fitted):
    for seed in range(20):
        found = lines(fitted(400, seed), tables.raw(300, seed=1000 + seed))
        assert not drifted(found)


def test_a_shift_of_one_standard_deviation_is_found_and_nothing_else(fitted):
    """The true distance is 2 Φ(1/2) - 1 = 0.38, which shows from 0.1 plus the half width 0.16."""
    for seed in range(30):
        rows = tables.raw(500, seed=1000 + seed, shift=1.0)
        found = lines(fitted(1000, 0), rows)
        assert drifted(found) == [(comparisons.FEATURE, "age")]
        assert found[0].name == "age"
        assert found[0].low < 2 * stats.norm.cdf(0.5) - 1 < found[0].high


def test_of_many_rows_a_small_change_is_sure_and_not_relevant(fitted):
    rows = tables.raw(200_000, seed=3, shift=0.1)
    model = fitted(100_000, 0)
    found = {line.name: line for line in lines(model, rows) if line.part == comparisons.FEATURE}
    ages = tables.raw(100_000, seed=0)["age"].dropna()
    assert stats.ks_2samp(ages, rows["age"].dropna()).pvalue < 1e-20
    assert 0 < found["age"].low < found["age"].high < 0.1
    assert found["age"].verdict == WITHIN


def test_few_rows_are_said_to_be_few(fitted):
    found = lines(fitted(400, 0), tables.raw(12, seed=5))
    assert {line.verdict for line in found if line.part == comparisons.FEATURE} == {TOO_FEW}
    assert drifted(found) == []


def test_missing_values_new_categories_values_out_of_range_and_groups_are_compared(fitted):
    rows = tables.raw(400, seed=7, missing=0.6)
    rows.loc[:99, "city"] = "Oslo"
    rows.loc[:149, "visits"] = 99.0
    rows.loc[:299, "sex"] = "f"
    rows.loc[:79, "sex"] = "x"
    found = lines(fitted(400, 0), rows)
    by_name = {(line.part, line.name): line for line in found}
    assert {
        (comparisons.MISSING, "age"), (comparisons.UNSEEN, "city"), (comparisons.RANGE, "visits"),
        (comparisons.GROUP, "sex: f"), (comparisons.GROUP, "sex: m"),
        (comparisons.GROUP, f"sex: {NO_GROUP}"),
    } <= set(drifted(found))  # fmt: skip
    assert by_name[comparisons.UNSEEN, "city"].new == 0.25
    assert by_name[comparisons.RANGE, "visits"].new == 0.375
    assert by_name[comparisons.GROUP, f"sex: {NO_GROUP}"].new == 0.2
    expected = by_name[comparisons.RANGE, "age"].reference
    assert expected == pytest.approx(2 / fitted(400, 0)[1]["columns"]["age"]["below"][-1], rel=0.01)


def test_labels_are_compared_with_those_of_training_rows():
    summary = {"classes": {"no": 300, "yes": 100}}
    pairs = pair_labels({"no": 100, "yes": 300}, summary, RELEVANT)
    found = {line.name: line for line in to_lines(list(pairs), confidence=0.95)}
    assert (found["no"].reference, found["no"].new) == (0.75, 0.25)
    assert {line.verdict for line in found.values()} == {DRIFTED}
    assert list(pair_labels({"no": 0}, summary, RELEVANT)) == []


def test_decisions_are_compared_with_those_of_the_test_split():
    report = {"curves": {"classes": ["no", "yes"], "confusion": [[50, 10], [20, 20]]}}
    pairs = list(pair_with_reference({"no": 200, "yes": 600}, report, RELEVANT))
    no, yes = sorted(to_lines(pairs, confidence=0.95), key=lambda line: line.name)
    assert (no.reference, no.new, no.reference_rows, no.new_rows) == (0.7, 0.25, 100, 800)
    assert (yes.reference, yes.new) == (0.3, 0.75)
    assert no.verdict == yes.verdict == DRIFTED
    assert np.isclose(no.change, -0.45)
    assert list(pair_with_reference({"no": 1}, {}, RELEVANT)) == []
