from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes

from plumbline import names
from plumbline.artifacts import DatasetSchema
from plumbline.data.tables.prepare import RawTable, prepare, table_from_raw
from plumbline.errors import DataError
from plumbline.params.data import TableEncoding, TabularData

ENCODING = TableEncoding(
    missing_numbers="median",
    missing_categories="own",
    missing_target="refuse",
    max_categories=50,
    number_thresholds=0,
    min_group_rows=20,
)
DIABETES = TabularData(
    source="diabetes",
    target="above_median",
    attributes_as_features=False,
    val_fraction=0.2,
    test_fraction=0.2,
    encoding=ENCODING,
    csv=None,
    resample={},
    label_noise={},
    degrade={},
)


@pytest.fixture(scope="module")
def diabetes():
    return prepare(DIABETES, seed=1)


def test_the_diabetes_table_holds_the_raw_measurements(diabetes):
    raw = load_diabetes(as_frame=True, scaled=False).data
    assert diabetes.schema.features == ("bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
    for column in diabetes.schema.features:
        np.testing.assert_array_equal(diabetes.table[column], raw[column])


def test_above_median_means_the_median_of_the_training_split(diabetes):
    target = load_diabetes().target
    train = (diabetes.table["split"] == "train").to_numpy()
    median = np.median(target[train])
    assert diabetes.schema.about["median"] == median
    assert diabetes.schema.classes == ("below_median", "above_median")
    assert diabetes.schema.positive == "above_median"
    np.testing.assert_array_equal(diabetes.table["y"], (target > median).astype(int))


def test_groups_of_diabetes_are_those_of_its_sex_and_age_columns(diabetes):
    raw = load_diabetes(as_frame=True, scaled=False).data
    assert diabetes.schema.attributes == ("sex", "age_band")
    assert (diabetes.table["sex"] == ["code " + str(int(s)) for s in raw["sex"]]).all()
    for band, rows in raw.groupby(diabetes.table["age_band"]):
        low, high = {"under 40": (0, 39), "40-54": (40, 54), "55+": (55, 200)}[band]
        assert rows["age"].between(low, high).all()


def test_splits_hold_their_shares_of_every_group(diabetes):
    shares = diabetes.table.groupby(["sex", "age_band"])["split"].value_counts(normalize=True)
    # Strata of some 25 rows: half a row is 0.02; two strata make up a group.
    assert abs(shares.xs("test", level="split") - 0.2).max() < 0.04
    diabetes.check()


def test_attributes_are_features_only_if_asked_for(diabetes):
    seen = prepare(DIABETES.model_copy(update={"attributes_as_features": True}), seed=1)
    assert seen.schema.features == ("age", "sex_code", *diabetes.schema.features)
    assert seen.schema.attributes == ("sex", "age_band")
    assert seen.schema.about["attributes_as_features"] is True
    assert seen.table.columns.is_unique


def test_value_keeps_the_number_and_has_no_classes():
    prepared = prepare(DIABETES.model_copy(update={"target": "value"}), seed=1)
    assert prepared.schema.task == "regression"
    assert prepared.schema.classes == ()
    np.testing.assert_array_equal(prepared.table["y"], load_diabetes().target)
    prepared.check()


@pytest.mark.parametrize(
    ("source", "classes", "positive"),
    [
        ("iris", ("setosa", "versicolor", "virginica"), None),
        ("breast_cancer", ("benign", "malignant"), "malignant"),
    ],
)
def test_labelled_sources_have_a_group_made_from_a_measurement(source, classes, positive):
    parameters = DIABETES.model_copy(update={"source": source, "target": "label"})
    prepared = prepare(parameters, seed=1)
    prepared.check()
    assert prepared.schema.classes == classes
    assert prepared.schema.positive == positive
    assert prepared.schema.attributes == ("size",)
    train = prepared.table[prepared.table["split"] == "train"]
    counts = train["size"].value_counts()
    assert set(counts.index) == {"small", "medium", "large"}
    # Thirds, but for ties: iris is measured in whole millimetres.
    assert counts.min() > len(train) / 5


def test_malignant_is_what_scikit_learn_calls_class_0():
    parameters = DIABETES.model_copy(update={"source": "breast_cancer", "target": "label"})
    table = prepare(parameters, seed=1).table
    np.testing.assert_array_equal(table["y"] == 1, load_breast_cancer().target == 0)


def small_raw(**changes):
    count = 60
    raw = RawTable(
        features=pd.DataFrame({"a": np.arange(count, dtype=float), "b": np.ones(count)}),
        target=np.arange(count) % 2,
        classes=("no", "yes"),
        groups=pd.DataFrame({"group": ["x", "x", "y"] * (count // 3)}),
        size_feature="",
        about={"attributes": {}, "measured_from": {}},
    )
    return replace(raw, **changes)


LABEL = DIABETES.model_copy(update={"target": "label"})


def fault(raw, parameters=LABEL):
    with pytest.raises(DataError) as error:
        table_from_raw(raw, parameters=parameters).check()
    return str(error.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_feature_that_is_not_finite_is_named(value):
    raw = small_raw()
    raw.features.loc[[3, 8], "b"] = value
    assert fault(raw) == (
        "diabetes: b must have finite numbers only, got NaN, infinite or missing values in 2 rows"
    )


def test_rows_with_equal_features_share_a_split():
    raw = small_raw()
    raw.features["a"] //= 3
    table = table_from_raw(raw, parameters=LABEL).table
    assert table["a"].nunique() == 20
    assert (table.groupby("a")["split"].nunique() == 1).all()
    assert set(table["split"]) == {"train", "val", "test"}


def test_a_class_without_a_sample_is_named():
    assert fault(small_raw(classes=("no", "yes", "maybe"))) == (
        "diabetes: class 'maybe' must have a sample in every split, got none at all; "
        "add samples until it has 3, merge it with another class, or leave it out"
    )


def test_a_group_that_a_split_lacks_is_described(tmp_path, caplog):
    raw = small_raw(groups=pd.DataFrame({"group": ["clan"] * 30 + ["x"] * 30}))
    raw.features.loc[:29, "a"] = -1.0  # equal rows are one entity, which is in one split
    prepared = table_from_raw(raw, parameters=LABEL)
    prepared.write(tmp_path / "out")
    (own,) = set(prepared.table.loc[:29, "split"])
    absent = [split for split in names.SPLITS if split != own]
    about = DatasetSchema.read(tmp_path / "out").about
    assert about["absent_groups"] == {"group": {"clan": {"rows": 30, "absent_from": absent}}}
    assert "Groups of group without a row in a split: clan (n = 30; none in " in caplog.text


def test_a_missing_attribute_is_counted():
    groups = pd.DataFrame({"group": [None, "x", ""] + ["x"] * 57})
    assert fault(small_raw(groups=groups)) == (
        "diabetes: group must have values only, got NaN, infinite or missing values in 2 rows"
    )


def test_a_target_that_the_source_lacks_is_refused():
    assert fault(small_raw(), DIABETES) == (
        "data_tabular: target of source 'diabetes' must be one of label, got 'above_median'"
    )
    with pytest.raises(DataError) as error:
        prepare(LABEL, seed=1)
    assert str(error.value) == (
        "data_tabular: target of source 'diabetes' must be one of above_median, value, got 'label'"
    )
