"""Counting by codes against pandas, whatever the codes are kept in."""

import numpy as np
import pandas as pd
import pytest

from plumbline.errors import MetricError
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


def test_too_many_combinations_are_refused():
    key = np.zeros(1, dtype=np.int64)
    with pytest.raises(MetricError) as error:
        count_rows([key, key], (2**40, 2**40))
    assert str(error.value) == (
        "counts: attributes and entities must make at most 4,611,686,018,427,387,904 cells, got "
        "1,208,925,819,614,629,174,706,176; band an attribute"
    )


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
