"""The study of classical models and networks: its rows."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from plumbline.errors import ParamsError
from plumbline.studies.feedforward import classical_vs_deep as study
from plumbline.studies.feedforward.comparison.fitted import Split
from plumbline.studies.feedforward.datasets import loading


@pytest.fixture(scope="module")
def options(quick):
    found = quick.classical_vs_deep
    sizes = found.data["diabetes"].model_copy(update={"examples": (30, 60)})
    return found.model_copy(
        update={"data": {"diabetes": sizes, "adult": found.data["adult"]}, "updates": 40}
    )


def run(options, seed=2):
    return study.run(options, seed, lambda *words: None)


@pytest.fixture(scope="module")
def rows(options):
    return run(options)


def test_runs_are_equal_and_test_rows_choose_nothing(options, rows, monkeypatch):
    pd.testing.assert_frame_equal(rows, run(options))
    whole = study._split

    def spoiled(*arguments):
        found = whole(*arguments)
        x, y = found.test
        return type(found)(**{**vars(found), "test": (x, -y)})

    monkeypatch.setattr(study, "_split", spoiled)
    other = run(options)
    curve, own = (each[each["part"] == study.CURVE] for each in (rows, other))
    kept = ["data", "model", "examples", "seed", "setting", "fit_operations", "bytes"]
    pd.testing.assert_frame_equal(curve[kept], own[kept])
    assert (own["score"] < curve["score"]).any()


def test_settings_are_those_that_are_best_on_validation_rows_for_other_seeds(options):
    x = np.random.default_rng(1).normal(size=(120, 3))
    steps = np.floor(5 * x[:, 0])  # more than the eight that three levels can tell apart
    noise = np.random.default_rng(2).normal(size=120)
    chosen = []
    for targets in (steps, noise):
        parts = [(x[part], targets[part]) for part in (slice(80), slice(80, 110), slice(110, 120))]
        data = Split(*parts, ("a", "b", "c"), 0, standardise=True, mean=0.0, scale=1.0)
        chosen.append({name: setting for name, (setting, _) in
                       study._fit(data, "table", 60, options, 3).items()})  # fmt: skip
    assert chosen[0]["decision_tree"] != "max_depth=3"
    assert chosen[1]["decision_tree"] == "max_depth=3"
    assert chosen[1]["nearest_neighbours"] == "n_neighbors=9"  # the mean of most errs least


def test_the_gain_is_that_of_the_further_rows(rows):
    table = rows[rows["part"] == study.CURVE].set_index(["model", "seed", "examples"])
    few, many = (table.xs(size, level="examples") for size in (30, 60))
    assert (many["score"] - few["score"]).to_numpy() == pytest.approx(many["gain"].to_numpy())
    assert few["gain"].isna().all()
    assert set(few["reason"]) == {"fewer training rows are not measured"}


def test_a_data_set_without_its_file_is_left_out_and_counted(rows):
    left = rows[rows["part"] == study.LEFT_OUT]
    assert left[["data", "reason"]].to_numpy().tolist() == [["adult", "no file is named"]]
    assert set(rows["data"][rows["part"] == study.CURVE]) == {"diabetes"}


def test_more_rows_than_there_are_is_an_error(options):
    sizes = options.data["diabetes"].model_copy(update={"examples": (30, 300)})
    expected = (
        "classical_vs_deep.data.diabetes: examples must be at most 242, got 300; the data have 442 "
        "rows, of which 200 are held for test and validation"
    )
    with pytest.raises(ParamsError, match=f"^{re.escape(expected)}$"):
        run(options.model_copy(update={"data": {"diabetes": sizes}}))


def test_models_are_explained_with_a_measured_number_of_rows(options):
    with pytest.raises(
        ValidationError, match=r"explained.diabetes: rows must be one of \(30, 60\)"
    ):
        type(options).model_validate({**options.model_dump(), "explained": {"diabetes": 50}})


def test_rows_have_the_same_columns_and_reasons_where_nothing_is_explained_or_left_out(
    rows, options
):
    sizes = options.data["diabetes"].model_copy(update={"examples": (30,)})
    alone = run(options.model_copy(update={"data": {"diabetes": sizes}, "explained": {}}))
    assert list(alone) == list(rows)
    assert set(alone["part"]) == {study.CURVE}
    assert set(alone["reason"]) == {"fewer training rows are not measured"}


def test_shares_of_an_explanation_sum_to_one_and_explanations_are_compared_in_pairs(rows, options):
    shares = rows[rows["part"] == study.IMPORTANCE].groupby(["explanation", "seed"])["share"]
    assert shares.sum().to_numpy() == pytest.approx(1)
    assert len(shares) == options.seeds * (explanations := 8 + 1 + 3 + 1)
    agreement = rows[rows["part"] == study.AGREEMENT]
    assert len(agreement) == options.seeds * explanations * (explanations - 1) // 2
    assert agreement["tau"].between(-1, 1).all()


def test_agreement_is_one_for_equal_orders_and_minus_one_for_opposite_ones():
    up, down = np.arange(4.0), -np.arange(4.0)
    found = pd.DataFrame(study._agreement([{"a": up, "b": down}, {"a": up, "b": up}] * 2))
    assert found.set_index("seed")["tau"].dropna().tolist() == [-1, 1, -1, 1]
    steady = found.dropna(subset="steadiness").set_index(["explanation", "seed"])["steadiness"]
    assert steady.to_dict() == {("a", 0): 1, ("b", 0): -1, ("a", 2): 1, ("b", 2): -1}


def test_rules_predict_in_the_units_of_the_target_and_cover_the_training_rows(rows):
    rule = rows[rows["part"] == study.RULE]
    assert rule["rows"].sum() == 60
    targets = loading.shuffled("diabetes", 2).targets
    assert targets.min() <= rule["predicted"].min() < rule["predicted"].max() <= targets.max()
