"""The forms of figures show medians, means and ranges over seeds."""

import numpy as np
import pandas as pd
import pytest

from plumbline.reporting.figures import style
from plumbline.studies.feedforward.claims import _figures

# Seed 2 lacks a size: medians 2 and 7, ranges 1 to 6 and 5 to 9.
ROWS = pd.DataFrame(
    [(10, 0, 1.0), (10, 1, 2.0), (10, 2, 6.0), (100, 0, 5.0), (100, 1, 9.0)],
    columns=["size", "seed", "value"],
)


@pytest.fixture
def axis():
    return style.figure(2.0)[1][0]


def test_a_curve_is_the_median_in_a_band_of_all_seeds(axis):
    _figures.curve(axis, ROWS, colour=style.ACCENT, label="net")
    (line,) = axis.lines
    np.testing.assert_array_equal(line.get_xydata(), [[10, 2], [100, 7]])
    edges = axis.collections[0].get_paths()[0].vertices
    assert {(10, 1), (10, 6), (100, 5), (100, 9)} <= {tuple(point) for point in edges}


def test_ticks_are_at_the_sizes_in_full(axis):
    _figures.ticks(axis, [1000, 10, 1000])
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["10", "1,000"]
    assert axis.get_xscale() == "log"


def test_ranges_reach_from_the_least_to_the_largest_seed(axis):
    by_seed = ROWS.pivot_table(index="seed", columns="size", values="value")
    _figures.ranges(axis, by_seed, [0, 1], colour=style.ACCENT)
    segments = axis.collections[0].get_segments()
    assert [segment[:, 0].tolist() for segment in segments] == [[1, 6], [5, 9]]
    np.testing.assert_array_equal(axis.lines[0].get_xdata(), [3, 7])  # the means


def test_dots_name_every_line(axis):
    drawn = _figures.dots({"first": [1.0, 2.0], "second": [3.0]}, "loss")
    assert drawn.index(">first<") > 0
    assert ">second<" in drawn
    assert ">loss<" in drawn
