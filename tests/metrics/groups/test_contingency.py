"""The contingency table: nothing is lost by counting, adding, or summing bins."""

import itertools

import numpy as np
import pandas as pd
import pytest

from plumbline import names
from plumbline.errors import MetricError
from plumbline.metrics.groups import confusions, score_bins
from plumbline.metrics.groups.contingency import ContingencyTable, table_to_contingency
from plumbline.metrics.groups.grouping import groups_of

CLASSES = {"classes": ("no", "yes"), "positive": "yes"}


def people(n=2000, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "y_true": rng.integers(2, size=n),
            "sex": rng.choice(["female", "male"], n),
            "age": rng.choice(["<40", "40-60", "60+"], n),
            "score": rng.integers(1001, size=n) / 1000,
        }
    )
    return table.assign(y_pred=(table["score"] >= 0.5).astype(int))


def counted(table, **changes) -> ContingencyTable:
    options = {"attributes": ("sex", "age"), **CLASSES, "score": table["score"], **changes}
    return table_to_contingency(table, **options)


def same(one: ContingencyTable, other: ContingencyTable) -> bool:
    fields = ("codes", "true", "decided", "bin", "n", "weight", "weight2", "score")
    return one.values == other.values and all(
        np.allclose(getattr(one, field), getattr(other, field)) for field in fields
    )


def test_row_order_changes_nothing():
    table = people()
    whole = counted(table, score=None)
    shuffled = table.sample(frac=1, random_state=1)
    assert same(whole, counted(shuffled, score=None))
    assert whole.total == len(table)


def test_every_cell_is_the_number_of_its_rows():
    table = people()
    whole = counted(table)
    assert len(whole.n) == len(table.drop_duplicates(["sex", "age", "y_true", "y_pred", "score"]))
    _, _, labels, codes = groups_of(whole, ("sex", "age"))
    for code, label in enumerate(labels):
        sex, age = label.split("×")
        rows = table[(table["sex"] == sex) & (table["age"] == age)]
        for true, decided in itertools.product((0, 1), repeat=2):
            cells = (codes == code) & (whole.true == true) & (whole.decided == decided)
            own = (rows["y_true"] == true) & (rows["y_pred"] == decided)
            assert whole.n[cells].sum() == own.sum()


def test_scores_outside_of_0_to_1_are_refused():
    table = people()
    with pytest.raises(MetricError) as error:
        counted(table, score=table["score"] * 2)
    assert str(error.value) == "counts: scores must be in [0, 1], got values outside of it"


def test_weights_of_two_are_rows_that_stand_twice():
    table = people(300)
    weight = np.where(table.index % 3 == 0, 2.0, 1.0)
    weighted = confusions.contingency_to_counts(counted(table, weight=weight), max_order=1)
    twice = pd.concat([table, table[table.index % 3 == 0]])
    counts = confusions.contingency_to_counts(counted(twice), max_order=1)
    for cell in ("tp", "fp", "tn", "fn"):
        np.testing.assert_allclose(weighted[f"weight_{cell}"], counts[cell])
    assert weighted["n"].sum() == 2 * len(table)


def test_a_table_of_entities_has_the_moments_of_their_sums():
    table = people(200)
    entity = np.arange(200) // 4
    counts = confusions.contingency_to_counts(
        counted(table, entity=entity), max_order=1, overall=True
    )
    positive = (table["y_true"] == 1) & (table["y_pred"] == 1)
    by_entity = positive.groupby(entity).sum()
    assert counts["moment_tp_tp"].iloc[0] == (by_entity**2).sum()
    assert counts["units"].iloc[0] == 50


@pytest.mark.parametrize("entity", [["a", None, "a", "b"], [1.0, np.nan, 1.0, 2.0]])
def test_a_row_whose_entity_is_missing_is_refused(entity):
    table = people(4)
    for given in (entity, pd.Series(entity), np.array(entity, dtype=object)):
        with pytest.raises(MetricError) as error:
            counted(table, entity=given)
        assert str(error.value) == (
            "groups: entity must be known in every row, got 1 rows without; leave them out, or "
            "give each an entity of its own"
        )


def test_columns_of_codes_are_counted_like_their_texts():
    """Small integers, categories in any order, and a category that nobody has."""
    table = people()
    ages = pd.CategoricalDtype(["unborn", "60+", "<40", "40-60"])
    coded = table.assign(
        sex=table["sex"].astype("category"),
        age=table["age"].astype(ages),
        y_true=table["y_true"].astype("uint8"),
        y_pred=table["y_pred"].astype("int8"),
    )
    assert same(counted(table), counted(coded))
    assert counted(coded).values == (("female", "male"), ("40-60", "60+", "<40"))


@pytest.mark.parametrize("kind", ["object", "category", "str"])
@pytest.mark.parametrize("missing", [None, np.nan, pd.NaT, pd.NA, "", "(missing)"])
def test_rows_without_a_value_of_an_attribute_are_the_unknown_group(kind, missing):
    table = people()
    table["sex"] = table["sex"].astype(object)
    table.loc[[3, 5], "sex"] = missing
    table["sex"] = table["sex"].astype(kind)
    cells = counted(table)
    assert cells.values[0] == ("female", "male", names.UNKNOWN)
    assert cells.n[cells.codes[:, 0] == 2].sum() == 2


@pytest.mark.parametrize("code", [-1, 2])
def test_a_code_of_no_class_is_refused(code):
    table = people()
    table.loc[3, "y_true"] = code
    with pytest.raises(MetricError) as error:
        counted(table)
    assert str(error.value) == f"groups: y_true must be codes of the classes, 0 to 1, got {code}"


def test_single_scores_are_counted_as_double_ones_are(monkeypatch):
    monkeypatch.setattr(score_bins, "EXACT", 1)
    table = people()
    single = table["score"].astype("float32")
    assert same(counted(table, score=single), counted(table, score=single.astype("float64")))
