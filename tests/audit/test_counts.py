"""Statistics by group: sums by hand, and what must not matter."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from plumbline import names
from plumbline.audit.counts import columns_to_mean, predictions_to_statistics
from plumbline.errors import MetricError
from tests.audit import tables


def replaced(predictions, table):
    return dataclasses.replace(predictions, table=table)


@pytest.mark.parametrize(
    "predictions",
    [
        tables.people(n=80),
        tables.numbers(n=80),
        tables.documents({"a": [1, 2, 3], "b": [2, 2]}),
        tables.images(n=60, real=50),
    ],
    ids=names.KINDS,
)
def test_the_order_of_rows_changes_no_statistic(predictions):
    shuffled = predictions.table.sample(frac=1, random_state=3)
    before = predictions_to_statistics(predictions, max_order=2)
    after = predictions_to_statistics(replaced(predictions, shuffled), max_order=2)
    pd.testing.assert_frame_equal(before.sizes, after.sizes)
    pd.testing.assert_frame_equal(before.table, after.table)
    assert before.total == after.total


def test_sizes_count_rows_documents_and_both_sorts_of_images():
    def size(predictions, attribute, group):
        statistics = predictions_to_statistics(predictions, max_order=1)
        return statistics.sizes.set_index(["attribute", "group"])["n"].to_dict()[attribute, group]

    people = tables.people(n=80)
    assert size(people, "sex", "male") == (people.table["sex"] == "male").sum()
    assert size(people, names.OVERALL, names.EVERYONE) == 80
    assert size(tables.documents({"a": [1, 2, 3], "b": [2]}), "part", "a") == 3
    images = tables.images(n=60, real=50)
    thin = (images.table["thickness"] == "thin").sum()
    assert size(images, "thickness", "thin") == thin


def test_a_regression_keeps_the_means_of_its_residuals_and_predictions():
    from scipy.stats import sem, skew

    predictions = tables.numbers(n=40)
    table = predictions_to_statistics(predictions, max_order=1).table
    place = int(np.flatnonzero(table["group"] == "male")[0])
    own = predictions.table[predictions.table["sex"] == "male"]
    residual = own["y_pred"] - own["y_true"]
    quantities = {
        "residual": residual, "absolute": residual.abs(), "square": residual**2,
        "prediction": own["y_pred"],
    }  # fmt: skip
    for name, values in quantities.items():
        mean = columns_to_mean(table, name)
        assert mean.value[place] == pytest.approx(values.mean())
        assert mean.variance[place] == pytest.approx(sem(values) ** 2)
        assert mean.asymmetry[place] == pytest.approx(skew(values) / len(values) ** 0.5)
        assert mean.units[place] == len(values)


def test_a_generator_is_also_counted_by_the_class_that_is_seen():
    statistics = predictions_to_statistics(tables.images(n=60, real=50), max_order=1)
    seen = statistics.table[statistics.table["attribute"] == names.SEEN_CLASS]
    assert list(seen["group"]) == ["0", "1"]
    assert seen["n"].sum() == 60
    assert seen["reference_n"].sum() == 50
    assert statistics.reference_total == 50
    assert statistics.total == 110


def test_what_cannot_be_audited_is_named():
    people, images = tables.people(n=20), tables.images(n=20, real=20)
    cases = [
        (
            replaced(people, people.table.assign(split=names.VAL)),
            "fnn: predictions must have test rows, got none",
        ),
        (
            dataclasses.replace(people, attributes=()),
            "fnn: predictions must have an attribute, got none",
        ),
        (
            replaced(images, images.table[images.table["split"] == names.TEST]),
            "gan: predictions must have rows of split 'reference', got none; a generator is "
            "compared with real images",
        ),
    ]
    for predictions, message in cases:
        with pytest.raises(MetricError) as error:
            predictions_to_statistics(predictions, max_order=1)
        assert str(error.value) == message


def test_documents_of_one_part_are_kept_whole():
    statistics = predictions_to_statistics(tables.documents({"a": [1, 2], "b": [3]}), max_order=1)
    own = statistics.table[statistics.table["attribute"] == "part"]
    assert np.array_equal(own["characters"], [400, 400, 400])
