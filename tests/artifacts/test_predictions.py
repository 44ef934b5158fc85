from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from plumbline import artifacts
from plumbline.artifacts import Predictions
from plumbline.errors import ArtifactError


def message(call, *args, **kwargs):
    with pytest.raises(ArtifactError) as error:
        call(*args, **kwargs)
    return str(error.value)


def classification(**changes):
    table = pd.DataFrame(
        {
            "sample_id": ["a", "b"],
            "split": ["test", "test"],
            "y_true": [0, 1],
            "y_pred": [0, 0],
            "score_no": [0.75, 0.5],
            "score_yes": [0.25, 0.5],
            "sex": ["f", "m"],
        }
    ).assign(**changes)
    return Predictions(
        table=table, model="fnn", kind="classification", dataset="tabular", source="toy",
        classes=("no", "yes"), positive="yes", attributes=("sex",),
    )  # fmt: skip


def test_a_predictions_table_comes_back_equal(tmp_path):
    predictions = classification(extra=[1, 2])
    predictions.write(tmp_path / "fnn.parquet")
    back = Predictions.read(tmp_path / "fnn.parquet")
    assert list(back.table.columns) == predictions.columns()
    assert replace(back, table=predictions.table) == predictions
    np.testing.assert_array_equal(back.scores(), [[0.75, 0.25], [0.5, 0.5]])


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"sample_id": ["a", "a"]}, "sample_id must be unique, got repeated ids"),
        ({"sex": ["f", None]}, "column sex must be defined, got missing values"),
        ({"score_no": [np.nan, 0.5]}, "column score_no must be defined, got missing values"),
        ({"score_no": [np.inf, 0.5]}, "column score_no must be finite, got infinite values"),
        ({"y_true": [0, 2]}, "y_true must be a code in 0…1, got 0…2"),
        ({"y_pred": [0.0, 0.5]}, "y_pred must be a code in 0…1, got 0.0…0.5"),
        ({"score_no": [0.7, 0.5]}, "scores must be >= 0 and sum to 1 in every row"),
        ({"score_no": [-0.2, 0.5], "score_yes": [1.2, 0.5]},
         "scores must be >= 0 and sum to 1 in every row"),
    ],
)  # fmt: skip
def test_each_broken_rule_has_its_sentence(changes, rule):
    assert message(classification(**changes).check, "t") == f"t: {rule}"


def test_missing_columns_unknown_kinds_and_empty_tables_are_refused():
    good = classification()
    lacking = replace(good, table=good.table.drop(columns=["sex", "y_pred"]))
    assert message(lacking.check, "t") == (
        "t: columns must include ['y_pred', 'sex'], got none of them"
    )
    assert message(replace(good, kind="ranking").check, "t") == (
        "t: kind must be one of ('classification', 'regression', 'language', 'generator'), "
        "got 'ranking'"
    )
    empty = replace(good, table=good.table.iloc[:0])
    assert message(empty.check, "t") == "t: table must have a row, got none"


def test_columns_follow_the_kind():
    good = classification()
    regression = replace(good, kind="regression", classes=())
    assert regression.columns() == ["sample_id", "split", "y_true", "y_pred", "sex"]
    language = replace(good, kind="language", classes=())
    assert language.columns() == [
        "sample_id", "split", "document_id", "nll", "characters", "sex",
    ]  # fmt: skip
    features = {f"feature_{k}": [float(k), 0.0] for k in (10, 2, 0)}
    generator = replace(classification(**features), kind="generator")
    assert generator.columns()[6:9] == ["feature_0", "feature_2", "feature_10"]
    np.testing.assert_array_equal(generator.features(), [[0, 2, 10], [0, 0, 0]])
    generator.check("t")


def test_a_table_without_a_header_is_no_predictions_table(tmp_path):
    artifacts.write_table(tmp_path / "t.parquet", classification().table)
    assert message(Predictions.read, tmp_path / "t.parquet") == (
        "t.parquet: file must hold a predictions table, got no complete header ('classes')"
    )
