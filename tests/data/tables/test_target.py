"""One class against the rest: declared, counted, and refused where it cannot be meant."""

import numpy as np
import pytest
from pydantic import ValidationError

from plumbline.errors import DataError
from tests.data.table_files import parameters, prepare, write_csv

N = 90


@pytest.fixture
def columns():
    draws = np.random.default_rng(0).normal(size=N)
    return {
        "x": [f"{v:.6f}" for v in draws],
        "note": [f"n{k}" for k in range(N)],
        "y": [("low", "medium", "high")[0 if k < 30 else 1 + k % 2] for k in range(N)],
    }


def test_all_values_but_the_positive_one_become_one_class(tmp_path, columns):
    write_csv(tmp_path, columns)
    settings = parameters(positive="high", rest="not high", features=["x"])
    table, schema = prepare(tmp_path, settings)
    assert (schema.task, schema.classes) == ("binary", ("not high", "high"))
    assert schema.positive == "high"
    np.testing.assert_array_equal(table["y"], [y == "high" for y in columns["y"]])
    # 30 rows are low; of the other 60 each second one is medium.
    assert schema.about["merged_classes"] == {
        "class": "not high", "values": {"low": 30, "medium": 30},
    }  # fmt: skip


def test_without_a_name_for_the_rest_nothing_is_merged(tmp_path, columns):
    write_csv(tmp_path, columns)
    with pytest.raises(DataError) as caught:
        prepare(tmp_path, parameters(positive="high"))
    assert str(caught.value) == (
        "csv: positive must be one of two classes, got 'high' of high, low, medium; name all the "
        "others together in data_tabular.csv.rest"
    )
    with pytest.raises(DataError) as caught:
        prepare(tmp_path, parameters(positive="High", rest="other"))
    assert str(caught.value) == (
        "csv: positive must be a value of the target, got 'High' of high, low, medium"
    )


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        ({"rest": "low"}, "positive must name the class that is not 'low' (rest), got None"),
        (
            {"rest": "low", "positive": "low"},
            "positive must name the class that is not 'low' (rest), got 'low'",
        ),
        (
            {"except": ["x"], "features": ["note"]},
            "except must be empty where features is a list, got ['x']; leave these out of features",
        ),
        (
            {"split": "a", "time": "b"},
            "split or time must be null, got 'a' and 'b'; rows are split in one way",
        ),
        (
            {"predict": "value", "positive": "high"},
            "csv.positive must be null where target is value, got 'high'; only labels have such a "
            "class",
        ),
    ],
)
def test_declarations_that_contradict_themselves_are_refused(own, sentence):
    with pytest.raises(ValidationError) as caught:
        parameters(**own)
    (told,) = [fault["msg"] for fault in caught.value.errors()]
    assert told == f"Value error, {sentence}"


def test_features_are_all_columns_except_some(tmp_path, columns):
    columns["empty"] = [""] * N  # of which no type could be inferred
    columns["sex"] = ["f" if k % 2 else "m" for k in range(N)]
    write_csv(tmp_path, columns)
    own = {"except": ["note", "empty", "sex"], "attributes": {"sex": ()}}
    table, schema = prepare(tmp_path, parameters(**own, attributes_as_features=True))
    assert schema.features == ("x",)
    assert set(table["sex"]) == {"f", "m"}
    with pytest.raises(DataError) as caught:
        prepare(tmp_path, parameters(**{"except": ["Note"]}))
    assert str(caught.value) == (
        "csv: except must name columns of the file, got ['Note'] beside ['x', 'note', 'y', "
        "'empty', 'sex']; names are case-sensitive"
    )
