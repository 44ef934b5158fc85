"""Data sets of the laboratory: the rows of scikit-learn and of a file, in a seeded order."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

from plumbline.errors import ParamsError
from plumbline.studies.feedforward.datasets import loading

ADULTS = (
    "39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, "
    "2174, 0, 40, Cuba, <=50K\n"
    "50, Private, 83311, Bachelors, 13, Divorced, Sales, Husband, White, Female, "
    "0, 0, 13, ?, >50K\n"
)


@pytest.mark.parametrize(
    ("source", "load", "classes"),
    [("digits", load_digits, 10), ("breast_cancer", load_breast_cancer, 2),
     ("diabetes", load_diabetes, 0)],
)  # fmt: skip
def test_rows_are_those_of_scikit_learn_in_the_order_of_the_seed(source, load, classes):
    features, targets = load(return_X_y=True)
    found = loading.shuffled(source, 3)
    order = np.random.default_rng(3).permutation(len(targets))
    assert np.array_equal(found.features, features[order][:, : len(found.names)])
    assert np.array_equal(found.targets, targets[order])
    assert found.classes == classes
    assert len(found.names) == found.features.shape[1]


def test_diabetes_has_its_own_units_unless_scaled():
    own = loading.shuffled("diabetes", 1, scaled=False)
    ages = own.features[:, own.names.index("age")]
    assert (ages.min(), ages.max()) == (19, 79)


def test_adult_has_numbers_and_an_indicator_of_each_category(tmp_path):
    (tmp_path / "adult.data").write_text(ADULTS, encoding="utf-8")
    found = loading.shuffled("adult", 1, file=str(tmp_path / "adult.data"))
    rows = [dict(zip(found.names, row, strict=True)) for row in found.features]
    young, old = sorted(rows, key=lambda row: row["age"])
    assert (young["age"], young["hours-per-week"], young["sex_Male"]) == (39, 40, 1)
    assert (old["sex_Male"], old["sex_Female"], old["native-country_?"]) == (0, 1, 1)
    assert dict(zip(found.features[:, 0], found.targets, strict=True)) == {39: 0, 50: 1}
    assert found.classes == 2


def test_a_named_file_must_exist():
    expected = (
        "classical_vs_deep.adult: the file must exist, got 'nowhere/adult.data'; name the path of "
        "adult.data, or null"
    )
    with pytest.raises(ParamsError, match=f"^{re.escape(expected)}$"):
        loading.shuffled("adult", 1, file="nowhere/adult.data")
