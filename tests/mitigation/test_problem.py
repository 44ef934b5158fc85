"""The problem is read from any prepared binary table, or the reason why there is none is given."""

import numpy as np
import pytest

from plumbline.mitigation.problem import read_problem
from tests.mitigation.conftest import write_prepared


def test_columns_are_standardised_by_the_training_rows_and_constants_stay_finite(problem):
    np.testing.assert_allclose(problem.train.x[:, :2].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(problem.train.x[:, :2].std(axis=0), 1)
    assert (problem.test.x[:, 2] == 0).all()
    assert problem.groups == ("F", "M")
    assert len(problem.test) == len(problem.table)


def test_data_without_the_attribute_are_taken_by_their_first_one(tmp_path):
    folder = write_prepared(tmp_path, n=300, attributes=("kind", "sex"))
    assert read_problem(folder, attribute="race").attribute == "kind"
    assert read_problem(folder, attribute="sex").attribute == "sex"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"task": "multiclass"}, "methods are for two classes; the task of made is multiclass"),
        ({"attributes": ()}, "made has no attribute"),
        (
            {"keep": lambda t: (t["sex"] == "F") | (t["split"] != "val") | (t["y"] == 1)},
            "sex = M has rows of one class only in the val split",
        ),
    ],
)
def test_what_gives_a_method_nothing_to_do_is_said(tmp_path, options, reason):
    assert read_problem(write_prepared(tmp_path, n=300, **options), attribute="sex") == reason
