"""The search finds what was planted, and rarely anything where nothing was."""

import numpy as np
import pandas as pd
import pytest

from plumbline import names
from plumbline.audit.subgroups import search
from plumbline.errors import MetricError
from plumbline.metrics.tensor import table_to_tensor

OPTIONS = {
    "max_order": 3, "confidence": 0.95, "min_group_size": 10, "replicates": 300, "seed": 0,
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
    tensor = table_to_tensor(
        table, attributes=ATTRIBUTES, classes=("no", "yes"), positive="yes",
        weight=changes.pop("weight", None),
    )  # fmt: skip
    return search(tensor, **{**OPTIONS, **changes})


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


def test_the_unknown_are_no_subgroup_and_weights_are_refused():
    table = people(500, seed=0)
    table.loc[table["sex"] == "male", "sex"] = names.UNKNOWN
    assert all(names.UNKNOWN not in e["subgroup"].values() for e in searched(table))
    with pytest.raises(MetricError, match="subgroups: rows must be independent decisions"):
        searched(table, weight=np.full(500, 2.0))
