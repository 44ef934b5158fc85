"""Groups of combinations: only those that occur, and no more than can be compared."""

import itertools

import numpy as np
import pandas as pd
import pytest

from plumbline.metrics.groups.contingency import table_to_contingency
from plumbline.metrics.groups.grouping import (
    combined,
    groups_of,
    intersection_label,
    label_values,
    pooled_groups,
    pooled_label,
)


def test_few_products_are_all_formed_those_without_a_row_among_them():
    labels, codes = combined([np.array([0, 1, 1]), np.array([2, 0, 0])], ["ab", "xyz"])
    assert labels == ["a×x", "a×y", "a×z", "b×x", "b×y", "b×z"]
    assert codes.tolist() == [2, 3, 3]


@pytest.mark.parametrize("attributes", [1, 2, 3])
def test_of_many_only_the_largest_that_occur_stand_by_themselves(attributes):
    """Against pandas: 50 values each, so up to 125,000 products of 3,000 rows."""
    rng = np.random.default_rng(attributes)
    values = [f"v{i:02d}" for i in range(50)]
    codes = [rng.permutation(np.r_[np.arange(50), rng.integers(50, size=2950) ** 2 // 50])
             for _ in range(attributes)]  # fmt: skip
    labels, found = combined(codes, [values] * attributes, most=20)
    own = pd.Series(["×".join(values[c] for c in row) for row in zip(*codes, strict=True)])
    sizes = own.value_counts()
    order = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    assert labels[:-1] == sorted(name for name, _ in order[:19])
    assert labels[-1] == f"({len(sizes) - 19:,} smaller groups)"
    for code, label in enumerate(labels[:-1]):
        assert (found == code).tolist() == (own == label).tolist()
    assert (found == 19).sum() == sum(n for _, n in order[19:])


VALUES = ("a", "a×b", "b", "b×a", '"a', 'a"', '"a×b"', '"a×""b"', "×")


@pytest.mark.parametrize("most", [20, 500])
@pytest.mark.parametrize("attributes", [2, 3])
def test_values_that_hold_the_sign_of_an_intersection_make_groups_of_their_own(attributes, most):
    values = sorted(VALUES)
    rows = list(itertools.product(range(len(values)), repeat=attributes))
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    labels, codes = combined(columns, [values] * attributes, most=most)
    assert len(set(labels)) == len(labels) == min(most, len(rows))
    named = [intersection_label([values[code] for code in row]) for row in rows]
    assert len(set(named)) == len(rows)
    shown = [labels[code] for code in codes]
    assert all(one == other or pooled_groups(one) for one, other in zip(shown, named, strict=True))


def test_a_value_of_one_attribute_is_shown_as_it_is():
    assert [intersection_label([value]) for value in VALUES] == list(VALUES)
    assert [label_values("g", value) for value in VALUES] == [[value] for value in VALUES]


@pytest.mark.parametrize("attributes", [2, 3])
def test_the_name_of_a_group_gives_its_values_back(attributes):
    for values in itertools.product((*VALUES, "unknown", "", "a b\n"), repeat=attributes):
        label = intersection_label(values)
        assert label_values("×".join("xyz"[:attributes]), label) == list(values)


def test_rows_may_count_for_several():
    code = np.arange(4)
    labels, found = combined([code], [["a", "b", "c", "d"]], [5, 1, 5, 2], most=3)
    assert labels == ["a", "c", "(2 smaller groups)"]
    assert found.tolist() == [0, 2, 1, 2]


def test_three_thousand_by_three_thousand_values_make_no_more_groups_than_rows():
    """9 million products, and as many as fit into no memory with a third attribute."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.integers(3000, size=(5000, 3)).astype(str), columns=list("abc"))
    counted = table_to_contingency(
        table.assign(y_true=0, y_pred=1), attributes=tuple("abc"), classes=("0", "1"), positive="1"
    )
    for chosen in itertools.chain(("a",), itertools.combinations("abc", 2), ["abc"]):
        cells, _, labels, codes = groups_of(counted, chosen)
        own = table[list(chosen)].drop_duplicates()
        assert len(labels) == 500
        assert pooled_groups(labels[-1]) == len(own) - 499
        assert cells.n[codes == 499].sum() + cells.n[codes < 499].sum() == 5000


@pytest.mark.parametrize("n", [1, 999, 1000, 39_412])
def test_the_name_of_a_pooled_group_says_how_many_it_stands_for(n):
    assert pooled_groups(pooled_label(n)) == n
    assert pooled_groups("smaller groups") == 0
