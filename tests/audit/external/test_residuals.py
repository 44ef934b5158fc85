"""Residuals of a file have the statistics of the table it was written from."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from plumbline.audit.counts import predictions_to_statistics
from plumbline.audit.external.residuals import file_to_residuals
from plumbline.errors import DataError
from plumbline.metrics.intervals.survey_design import Design
from tests.audit import tables
from tests.audit.external.test_decisions import written


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_regression_has_the_means_of_its_table(tmp_path, form):
    predictions = tables.numbers(n=200, bias=(0.0, 0.5))
    found = file_to_residuals(
        written(tmp_path, predictions.table, form), label="y_true", prediction="y_pred",
        attributes=("sex",), max_order=1,
    )  # fmt: skip
    expected = predictions_to_statistics(predictions, max_order=1)
    pd.testing.assert_frame_equal(found.table, expected.table, rtol=1e-9)
    assert found.spread == pytest.approx(expected.spread)
    assert found.total == expected.total


DESIGNS = {
    "weights": {"weight": "sample_weight"},
    "entities": {"entity": "entity"},
    "both": {"weight": "sample_weight", "entity": "entity"},
}


@pytest.mark.parametrize("form", ["parquet", "csv"])
@pytest.mark.parametrize("design", DESIGNS)
def test_weighted_and_clustered_rows_have_the_statistics_of_their_table(tmp_path, form, design):
    made = tables.numbers(n=300, bias=(0.0, 0.5))
    table = made.table.assign(
        age=np.where(np.arange(300) % 7 < 3, "old", "young"),
        sample_weight=np.arange(300) % 4 / 2,  # some rows stand for none
        entity=[f"e{k % 90}" for k in range(300)],
    )
    table = table.drop(columns={"sample_weight", "entity"} - set(DESIGNS[design].values()))
    predictions = dataclasses.replace(made, table=table, attributes=("age", "sex"))
    found = file_to_residuals(
        written(tmp_path, table, form), label="y_true", prediction="y_pred",
        attributes=("age", "sex"), max_order=2, **DESIGNS[design],
    )  # fmt: skip
    expected = predictions_to_statistics(predictions, max_order=2)
    pd.testing.assert_frame_equal(found.table, expected.table, check_like=True, rtol=1e-9)
    pd.testing.assert_frame_equal(found.sizes, expected.sizes)
    keys = ("kind", "total", "weighted", "clustered", "shared")
    assert [getattr(found, key) for key in keys] == [getattr(expected, key) for key in keys]


def test_means_and_variances_of_four_rows_by_hand(tmp_path):
    """Residuals 1, 3 of Ann (weights 1, 1) and 0, 4 of Bob (2, 0): mean 4/4 = 1.

    Influences by row 0, 2/4, -2/4, 0: Σ² = 1/2; four rows of these weights are worth 4² / 6 = 8/3,
    of which 8/3 - 1 = 5/3 are left: times 8/5. By person 2/4, -2/4: 1/2, times 2/1.
    """
    table = pd.DataFrame(
        {"y": [0.0, 1.0, 5.0, 2.0], "d": [1.0, 4.0, 5.0, 6.0], "w": [1, 1, 2, 0],
         "who": ["Ann", "Ann", "Bob", "Bob"], "sex": "f"}
    )  # fmt: skip
    path = written(tmp_path, table)
    options = {"label": "y", "prediction": "d", "attributes": ("sex",), "max_order": 1}
    for entity, units, variance in ((None, 4, 0.8), ("who", 2, 1.0)):
        everyone = file_to_residuals(path, weight="w", entity=entity, **options).table.iloc[0]
        assert (everyone["n"], everyone["units"], everyone["residual"]) == (4, units, 1.0)
        assert everyone["residual_variance"] == pytest.approx(variance)
        assert everyone["square"] == pytest.approx((1 + 9) / 4)
        assert everyone["absolute"] == pytest.approx((1 + 3) / 4)
        assert everyone["prediction"] == pytest.approx((1 + 4 + 2 * 5) / 4)


@pytest.mark.parametrize("more", [{}, {"weight": "w"}, {"entity": "who"}])
@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_residuals_far_from_0_and_close_together_keep_their_spread(tmp_path, form, more):
    """Means are 3 million times the spread, and those of the groups as far from one another."""
    rng, n = np.random.default_rng(0), 400
    sex = np.arange(n) % 2
    offset, spread = np.where(sex, 3e6, -3e6), rng.normal(size=n)
    table = pd.DataFrame(
        {"y": 0.0, "d": offset + spread, "sex": np.array(["f", "m"])[sex],
         "w": np.arange(n) % 4 / 2, "who": [f"e{k % 130}" for k in range(n)]}
    )  # fmt: skip
    found = file_to_residuals(
        written(tmp_path, table, form), label="y", prediction="d", attributes=("sex",),
        max_order=1, **more,
    ).table.set_index("group")  # fmt: skip
    design = Design.of(table["w"] if "weight" in more else None,
                       table["who"] if "entity" in more else None)  # fmt: skip
    expected = design.means(spread, sex.astype(np.int64), 2)  # the offset changes no variance
    for place, group in enumerate("fm"):
        row = found.loc[group]
        for name in ("residual", "absolute", "prediction"):
            assert row[f"{name}_variance"] == pytest.approx(expected.variance[place], rel=1e-6)
        # d(r²) = 2 r dr
        assert row["square_variance"] == pytest.approx(36e12 * expected.variance[place], rel=1e-4)


def test_sums_of_a_file_do_not_depend_on_the_order_of_its_rows(tmp_path):
    table = tables.numbers(n=500).table.assign(w=np.random.default_rng(1).gamma(2, size=500))
    options = {"label": "y_true", "prediction": "y_pred", "attributes": ("sex",), "max_order": 1}
    for more in ({}, {"weight": "w"}):
        one, other = (
            file_to_residuals(written(tmp_path, t), **options, **more).table
            for t in (table, table.sample(frac=1, random_state=0))
        )
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_infinite_numbers_and_no_attribute_are_told(tmp_path):
    table = tables.numbers(n=50).table
    options = {"label": "y_true", "prediction": "y_pred", "max_order": 1}
    path = written(tmp_path, table.assign(y_pred=np.where(table.index > 0, 1.0, np.inf)))
    with pytest.raises(DataError) as error:
        file_to_residuals(path, attributes=("sex",), **options)
    assert str(error.value) == (
        "audit: numbers of decisions.parquet must be finite, got inf; leave such rows out"
    )
    with pytest.raises(DataError) as error:
        file_to_residuals(path, attributes=(), **options)
    assert str(error.value) == (
        "audit: attributes must be one or more different columns, got []; name them by "
        "--attributes or --attribute"
    )


@pytest.mark.parametrize(
    ("column", "values", "told"),
    [
        ("w", [1, -2, 1], "audit: weight 'w' must be >= 0, got -2"),
        (
            "w", [1, None, 1],
            "audit: label and prediction and weight of decisions.parquet must be numbers in every "
            "row, got 1 rows without; leave them out",
        ),
        (
            "who", ["a", None, "a"],
            "audit: entity must be known in every row of decisions.parquet, got 1 rows without; "
            "leave them out",
        ),
    ],
)  # fmt: skip
def test_an_unfit_weight_or_entity_is_told(tmp_path, column, values, told):
    table = pd.DataFrame({"y": [0.0, 1, 2], "d": [0.0, 1, 2], "w": 1.0, "who": "a", "sex": "f"})
    path = written(tmp_path, table.assign(**{column: values}))
    with pytest.raises(DataError) as error:
        file_to_residuals(
            path, label="y", prediction="d", attributes=("sex",), max_order=1, weight="w",
            entity="who",
        )  # fmt: skip
    assert str(error.value) == told


def test_what_is_no_number_is_told(tmp_path):
    table = tables.numbers(n=50).table
    table["y_pred"] = table["y_pred"].where(table.index > 0)
    with pytest.raises(DataError) as error:
        file_to_residuals(
            written(tmp_path, table), label="y_true", prediction="y_pred", attributes=("sex",),
            max_order=1,
        )  # fmt: skip
    assert str(error.value) == (
        "audit: label and prediction of decisions.parquet must be numbers in every row, got 1 rows "
        "without; leave them out"
    )
