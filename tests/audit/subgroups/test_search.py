"""The search finds what was planted, and rarely anything where nothing was."""

import numpy as np
import pandas as pd
import pytest

from plumbline import names
from plumbline.audit.options import AuditOptions
from plumbline.audit.subgroups.search import search
from plumbline.metrics.groups.contingency import table_to_contingency

OPTIONS = {
    "max_order": 3, "confidence": 0.95, "min_group_size": 10,
    "replicates": 300, "seed": 0,
}  # fmt: skip
ATTRIBUTES = ("age", "race", "sex", "region")


def people(n, seed, planted=0.0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "age": rng.choice(["<40", "40-60", "60+"], n),
            "race": rng.choice(list("ABC"), n),
            "sex": rng.choice(["female", "male"], n),
            "region": rng.choice(["east", "north", "west"], n),
            "y_true": rng.integers(2, size=n),
        }
    )
    own = (table["age"] == "60+") & (table["race"] == "B") & (table["sex"] == "female")
    table["y_pred"] = (rng.random(n) < 0.4 + planted * own).astype(int)
    return table


def searched(table, **changes):
    kind = {"classes": ("no", "yes"), "positive": "yes"}
    kind |= {
        name: changes.pop(name)
        for name in ("classes", "positive", "weight", "entity")
        if name in changes
    }
    contingency = table_to_contingency(table, attributes=ATTRIBUTES, **kind)
    return search(contingency, AuditOptions(**{**OPTIONS, **changes}))


def test_a_planted_subgroup_of_three_attributes_is_found():
    entry = searched(people(5000, seed=1, planted=0.25))[0]
    assert entry["metric"] == names.SELECTION_RATE
    assert entry["subgroup"] == {"age": "60+", "race": "B", "sex": "female"}
    assert entry["verdict"] == names.DIFFERENCE
    assert entry["value"] - entry["others"] == pytest.approx(0.25, abs=0.08)
    # 11 values, 45 pairs and 81 triples of them: all that there are.
    assert entry["searched"] == 11 + 45 + 81


def test_values_are_those_of_the_rows():
    table = people(3000, seed=2)
    for entry in searched(table):
        if entry["metric"] != names.TPR:
            continue
        own = np.logical_and.reduce([table[a] == v for a, v in entry["subgroup"].items()])
        positive = table["y_true"] == 1
        assert entry["n"] == (own & positive).sum()
        assert entry["value"] == pytest.approx(table["y_pred"][own & positive].mean())
        assert entry["others"] == pytest.approx(table["y_pred"][~own & positive].mean())


@pytest.mark.slow
def test_where_nothing_was_planted_at_most_five_of_a_hundred_searches_find_anything():
    alarms = sum(
        any(e["verdict"] == names.DIFFERENCE for e in searched(people(600, seed), replicates=200))
        for seed in range(100)
    )
    assert alarms <= 5


def test_the_unknown_are_no_subgroup():
    table = people(500, seed=0)
    table.loc[table["sex"] == "male", "sex"] = names.UNKNOWN
    assert all(names.UNKNOWN not in e["subgroup"].values() for e in searched(table))


def test_a_planted_subgroup_of_weighted_rows_is_found():
    table = people(5000, seed=1, planted=0.25)
    weight = np.random.default_rng(0).gamma(4, size=5000)
    entry = searched(table, weight=weight)[0]
    assert entry["metric"] == names.SELECTION_RATE
    assert entry["subgroup"] == {"age": "60+", "race": "B", "sex": "female"}
    assert entry["verdict"] == names.DIFFERENCE
    own = np.logical_and.reduce([table[a] == v for a, v in entry["subgroup"].items()])
    assert entry["n"] == own.sum()
    assert entry["value"] == pytest.approx(np.average(table["y_pred"][own], weights=weight[own]))
    assert entry["others"] == pytest.approx(np.average(table["y_pred"][~own], weights=weight[~own]))


def test_weights_of_one_give_the_z_of_the_permutation():
    """Up to the share of the subgroup: its squared deviations stand for those of all rows."""
    table = people(20_000, seed=4, planted=0.2)
    plain, weighted = searched(table)[0], searched(table, weight=np.ones(20_000))[0]
    assert plain["subgroup"] == weighted["subgroup"]
    assert weighted["z"] == pytest.approx(plain["z"], rel=0.1)


def test_rows_that_stand_four_times_are_no_more_evidence_than_once():
    table = people(3000, seed=5, planted=0.2)
    four = pd.concat([table] * 4, ignore_index=True)
    once = searched(table, weight=np.ones(3000))[0]
    again = searched(four, entity=np.tile(np.arange(3000), 4))[0]
    assert again["subgroup"] == once["subgroup"]
    assert again["n"] == once["n"]
    assert again["z"] == pytest.approx(once["z"])


def test_each_of_many_classes_is_searched_and_accuracy_once():
    table = people(6000, seed=6)
    own = (table["age"] == "60+") & (table["region"] == "east")
    rng = np.random.default_rng(7)
    table["y_true"] = rng.integers(3, size=6000)
    table["y_pred"] = np.where(own & (rng.random(6000) < 0.4), 2, rng.integers(3, size=6000))
    found = searched(table, classes=("a", "b", "c"), positive=None)
    assert len({entry["metric"] for entry in found}) == 3 * 3 + 1
    first = next(e for e in found if e["metric"] == f"{names.SELECTION_RATE}/c")
    assert first["subgroup"] == {"age": "60+", "region": "east"}
    assert first["verdict"] == names.DIFFERENCE


def many_classes(n, seed):
    table = people(n, seed)
    rng = np.random.default_rng(seed + 1)
    own = (table["age"] == "60+") & (table["region"] == "east")
    table["y_true"] = rng.integers(3, size=n)
    table["y_pred"] = np.where(own & (rng.random(n) < 0.4), 2, rng.integers(3, size=n))
    return table


def test_integer_weights_of_many_classes_are_repeated_rows():
    """Rows that stand three times are three rows of one entity."""
    table, weight = many_classes(4000, 8), np.random.default_rng(9).integers(1, 4, 4000)
    order = np.repeat(np.arange(4000), weight)
    repeats = table.iloc[order].reset_index(drop=True)
    kind = {"classes": ("a", "b", "c"), "positive": None}
    weighted = searched(table, weight=weight.astype(float), **kind)
    assert len({entry["metric"] for entry in weighted}) == 3 * 3 + 1
    for one, other in zip(weighted, searched(repeats, entity=order, **kind), strict=True):
        assert (one["metric"], one["subgroup"]) == (other["metric"], other["subgroup"])
        assert (one["n"], one["searched"]) == (other["n"], other["searched"])
        assert [one[k] for k in ("value", "others", "z")] == pytest.approx(
            [other[k] for k in ("value", "others", "z")]
        )


def test_weighted_values_of_many_classes_are_sums_of_weights():
    table, weight = many_classes(3000, 10), np.random.default_rng(11).gamma(4, size=3000)
    found = searched(table, weight=weight, classes=("a", "b", "c"), positive=None)
    entry = next(e for e in found if e["metric"] == f"{names.TPR}/c")
    own = np.logical_and.reduce([table[a] == v for a, v in entry["subgroup"].items()])
    counted, hit = table["y_true"] == 2, table["y_pred"] == 2
    for rows, value in ((own & counted, entry["value"]), (~own & counted, entry["others"])):
        assert value == pytest.approx(weight[rows & hit].sum() / weight[rows].sum())
    first = next(e for e in found if e["metric"] == f"{names.SELECTION_RATE}/c")
    assert (first["subgroup"], first["verdict"]) == (
        {"age": "60+", "region": "east"}, names.DIFFERENCE,
    )  # fmt: skip


def repeated(seed):
    """150 people of four rows each, whose outcomes and weights depend on the person."""
    rng = np.random.default_rng(seed)
    table = people(600, seed)
    who = np.repeat(np.arange(150), 4)
    own = table.iloc[::4].reset_index(drop=True).iloc[who].reset_index(drop=True)
    own["y_pred"] = (rng.random(600) < np.repeat(rng.beta(0.8, 1.2, 150), 4)).astype(int)
    return own, who, np.repeat(rng.gamma(2, size=150), 4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["weighted", "entities", "both"])
def test_weights_and_entities_raise_at_most_five_alarms_of_a_hundred(kind):
    """Up to chance: eleven or more of 100 at a rate of 5 % have a probability of 1 %."""
    alarms = 0
    for seed in range(100):
        if kind == "weighted":
            table = people(600, seed)
            extra = {"weight": np.random.default_rng(seed).gamma(2, size=600)}
        else:
            table, who, weight = repeated(seed)
            extra = {"entity": who} | ({"weight": weight} if kind == "both" else {})
        found = searched(table, replicates=200, **extra)
        alarms += any(entry["verdict"] == names.DIFFERENCE for entry in found)
    assert alarms <= 10


@pytest.mark.no_cover
def test_weights_that_differ_much_raise_no_alarm_where_rates_are_equal_and_low():
    """A subgroup with few hits has a small estimated variance; the pooled one is not."""

    def alarmed(seed):
        rng = np.random.default_rng(seed)
        table = people(2000, seed).assign(y_pred=(rng.random(2000) < 0.1).astype(int))
        table["race"] = rng.choice(list("ABC"), 2000, p=[0.7, 0.2, 0.1])
        found = searched(table, weight=rng.gamma(0.7, size=2000), replicates=200)
        return any(entry["verdict"] == names.DIFFERENCE for entry in found)

    assert sum(alarmed(seed) for seed in range(60)) <= 3
