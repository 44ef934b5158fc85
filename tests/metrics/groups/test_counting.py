"""Counting by codes against pandas, whatever the codes are kept in."""

import numpy as np
import pandas as pd
import pytest

from plumbline.metrics.groups.counting import codes_of, count_rows


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.int64])
@pytest.mark.parametrize("sizes", [(2, 3), (1, 16, 16), (100, 100, 2), (2000, 3000, 40)])
def test_counts_and_sums_are_those_of_pandas(kind, sizes):
    """In bytes, in more than 256 cells, and in more cells than are counted without sorting."""
    rng = np.random.default_rng(0)
    keys = [rng.integers(min(size, 100), size=500).astype(kind) for size in sizes]
    weight = rng.random(500)
    codes, (n, summed) = count_rows(keys, sizes, (None, weight))
    expected = pd.DataFrame({**dict(enumerate(map(np.int64, keys))), "weight": weight})
    by = expected.groupby(list(range(len(sizes))))["weight"].agg(["size", "sum"])
    np.testing.assert_array_equal(np.stack(codes, axis=1), by.reset_index()[[*range(len(sizes))]])
    np.testing.assert_array_equal(n, by["size"])
    np.testing.assert_allclose(summed, by["sum"], rtol=1e-12)


def test_more_combinations_than_integers_are_counted_by_those_that_occur():
    """2**96 of them, of which 500 rows have fewer than 500."""
    rng = np.random.default_rng(1)
    sizes = (2**32, 2**32, 2**32)
    keys = [rng.integers(20, size=500) * (2**32 // 20) for _ in sizes]
    weight = rng.random(500)
    codes, (n, summed) = count_rows(keys, sizes, (None, weight))
    expected = pd.DataFrame({**dict(enumerate(keys)), "weight": weight})
    by = expected.groupby([0, 1, 2])["weight"].agg(["size", "sum"])
    np.testing.assert_array_equal(np.stack(codes, axis=1), by.reset_index()[[0, 1, 2]])
    np.testing.assert_array_equal(n, by["size"])
    np.testing.assert_allclose(summed, by["sum"], rtol=1e-12)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["b", "a", "b", "c"]),
        pd.Series(["b", "a", "b", "c"], dtype=object),
        pd.Series(["b", "a", "b", "c"], dtype="category"),
        pd.Series(pd.Categorical(["b", "a", "b", "c"], categories=["c", "b", "a"])),
    ],
)
def test_codes_follow_the_order_of_the_texts(column):
    codes, values = codes_of(column)
    assert values == ("a", "b", "c")
    assert codes.tolist() == [1, 0, 1, 2]


def test_values_of_one_text_are_one_value():
    codes, values = codes_of(pd.Series([1, "1", 10, 2], dtype=object))
    assert values == ("1", "10", "2")
    assert codes.tolist() == [0, 0, 1, 2]
    codes, values = codes_of(pd.Series([2.5, 10.0, 2.5]))
    assert values == ("10.0", "2.5")
    assert codes.tolist() == [1, 0, 1]


@pytest.mark.parametrize("kind", [object, "category", "str"])
@pytest.mark.parametrize("first", ["a", "z"])
def test_what_is_missing_has_no_code(kind, first):
    codes, values = codes_of(pd.Series([first, None, "m"], dtype=kind))
    assert codes[1] == -1
    assert [values[code] for code in codes[[0, 2]]] == [first, "m"]
