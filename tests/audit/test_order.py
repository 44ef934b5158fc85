"""No number of an audit depends on the names of groups or on the order of rows."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plumbline import names
from plumbline.audit.build import predictions_to_audit
from plumbline.audit.options import AuditOptions
from tests.audit import tables

OPTIONS = AuditOptions(
    0.95, 200, 3, min_group_size=2, max_order=2, pairs=True, compare_unknown=True
)
# Rows of the cells "group, label, decision": few different sizes, so that groups tie.
SIZES = st.lists(st.sampled_from([0, 0, 1, 2, 3, 5]), min_size=24, max_size=24)
# PPV 0 of 10, 0 of 5, 3 of 303: whichever of the first two came first had the upper end.
TIED = [0, 10, 5, 5, 0, 5, 5, 5, 3, 300, 5, 5] + [0] * 12


def decided(sizes, *, weighted=False):
    """Return predictions with so many rows of each group, band, label and decision."""
    cells = [
        (group, band, label, decision)
        for band in ("young", "old")
        for group in ("a", "b", "c")
        for label in (1, 0)
        for decision in (1, 0)
    ]
    rows = [cell for cell, size in zip(cells, sizes, strict=True) for _ in range(size)]
    table = pd.DataFrame(rows, columns=["group", "band", "y_true", "y_pred"])
    table["sample_id"], table["split"] = [f"s{i}" for i in range(len(table))], names.TEST
    if weighted:
        table[names.WEIGHT] = 1.0 + np.arange(len(table)) % 3
    return tables.classified(table, attributes=("group", "band"))


def numbers_of(audit, renamed):
    """Return every number of an audit by what it is about, groups under their first names."""

    def first(group):
        parts = str(group).split(names.INTERSECTION)
        return names.INTERSECTION.join(renamed.get(part, part) for part in parts)

    found = {}

    def take(key, value):
        if isinstance(value, dict):
            for name, inner in value.items():
                take((*key, name), inner)
        elif isinstance(value, list):
            for place, inner in enumerate(value):
                take((*key, place), inner)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[key] = float(value)
        elif value is None:
            found[key] = float("nan")

    for row in (*audit["rows"], *audit["counts"], *audit["roc"]):
        kind = row.get("metric", "counts" if "tp" in row else "roc")
        take((row["attribute"], first(row["group"]), kind), row)
    for gap in audit["gaps"]:
        named = ("lowest", "highest")  # of tied groups either name is right
        take((gap["attribute"], gap["metric"], gap["comparison"]),
             {k: v for k, v in gap.items() if k not in named})  # fmt: skip
        found[gap["attribute"], gap["metric"], gap["comparison"], gap["verdict"]] = 1.0
    for part in audit["causes"]:
        take(("causes", part["attribute"], part["metric"]), part)
    for pair in audit["pairs"]:
        both = sorted((first(pair["group"]), first(pair["other"])))
        key = ("pair", pair["attribute"], pair["metric"], pair["comparison"], *both)
        take(key, {k: pair[k] for k in ("p", "p_adjusted", "margin")})
        if pair["value"] not in (0, 1):  # of tied groups either may be the lower one
            take(key, {k: pair[k] for k in ("value", "low", "high")})
    for entry in audit["left_out"]:
        take(("left out", entry["attribute"], first(entry["group"]), entry["metric"]), entry)
    take(("audit",), {k: audit[k] for k in ("n", "confidence_of_each", "excluded")})
    take(
        ("worst",),
        {k: audit["worst"][k] for k in ("value", "low", "high")} if audit["worst"] else {},
    )
    return found


def changed(predictions, names_of, seed):
    table = predictions.table.sample(frac=1, random_state=seed).reset_index(drop=True)
    return dataclasses.replace(predictions, table=table.assign(group=table["group"].map(names_of)))


@pytest.mark.no_cover
@settings(max_examples=12, deadline=None)
@given(
    sizes=SIZES,
    order=st.permutations(["a", "b", "c"]),
    seed=st.integers(0, 1000),
    weighted=st.booleans(),
)
@example(sizes=TIED, order=["b", "a", "c"], seed=0, weighted=False)
@example(sizes=[5] * 24, order=["c", "b", "a"], seed=1, weighted=True)
def test_names_of_groups_and_the_order_of_rows_change_no_number(sizes, order, seed, weighted):
    if not sum(sizes):
        sizes = [1, *sizes[1:]]
    predictions = decided(sizes, weighted=weighted)
    names_of = dict(zip(["a", "b", "c"], order, strict=True))
    back = {new: old for old, new in names_of.items()}
    wanted = numbers_of(predictions_to_audit(predictions, OPTIONS), {})
    found = numbers_of(predictions_to_audit(changed(predictions, names_of, seed), OPTIONS), back)
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        assert found[key] == pytest.approx(value, rel=1e-6, abs=1e-9, nan_ok=True), key


@pytest.mark.parametrize(
    ("predictions", "column"),
    [
        (tables.numbers(n=90), "sex"),
        (tables.documents({"a": [1.0] * 12, "b": [2.0] * 15, "c": [1.5] * 11}), "part"),
        (tables.images(), "thickness"),
    ],
    ids=["regression", "language", "generator"],
)
def test_other_kinds_of_model_depend_on_names_no_more(predictions, column):
    table = predictions.table
    found = sorted(table[column].unique())
    turned = dict(zip(found, reversed(found), strict=True))
    order = np.random.default_rng(0).permutation(len(table))
    moved = table.iloc[order].reset_index(drop=True)
    other = dataclasses.replace(
        predictions, table=moved.assign(**{column: moved[column].map(turned)})
    )
    wanted = numbers_of(predictions_to_audit(predictions, OPTIONS), {})
    back = {new: old for old, new in turned.items()}
    again = numbers_of(predictions_to_audit(other, OPTIONS), back)
    assert again.keys() == wanted.keys()
    for key, value in wanted.items():
        assert again[key] == pytest.approx(value, rel=1e-6, abs=1e-9, nan_ok=True), key
