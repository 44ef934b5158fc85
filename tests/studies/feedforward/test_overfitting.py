"""Techniques against overfitting: each does what it says, alone and as measured."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits

from plumbline.params.apply import load_sized
from plumbline.studies.feedforward import overfitting


@pytest.fixture(scope="module")
def options(root):
    return load_sized(root, "feedforward", "quick").overfitting


def run(options, *techniques, **changes):
    chosen = {name: options.techniques[name] for name in techniques}
    small = options.model_copy(update={"techniques": chosen, **changes})
    return overfitting.run(small, 3, lambda *words: None)


def of_test_rows(rows, metric="loss"):
    """Return the mean over seeds of each technique."""
    return rows[rows["on"] == "test"].groupby("technique")[metric].mean()


def test_techniques_narrow_the_gap_of_a_network_that_overfits(options):
    rows = run(options, "none", "more_data", "dropout", data=("digits",), epochs=30)
    gap = of_test_rows(rows, "gap")
    assert gap["none"] > 0.2
    assert gap["more_data"] < gap["none"]
    assert gap["dropout"] < gap["none"]
    single = rows[rows["on"] != "range of groups"]
    assert single["gap"].to_numpy() == pytest.approx(
        (single["loss"] - single["train_loss"]).to_numpy()
    )


def test_a_regression_has_a_reason_for_what_it_lacks(options):
    rows = run(options, "none", data=("diabetes",))
    assert rows[["accuracy", "calibration_error"]].isna().all(axis=None)
    assert set(rows["reason"]) == {"a regression has no classes"}
    assert np.isfinite(rows["loss"]).all()


def test_penalties_make_weights_small_and_l1_makes_them_zero(options, monkeypatch):
    kept = {}
    monkeypatch.setattr(
        overfitting, "prune", lambda stack, share: kept.setdefault(len(kept), stack.member(0))
    )
    run(options, "none", "l2", "l1", data=("digits",), epochs=40)
    sums = [float(state["2.weight"].square().sum()) for state in kept.values()]
    assert sums[1] < 0.9 * sums[0]
    assert sums[2] < 0.9 * sums[0]
    shares = [float((state["2.weight"].abs() < 1e-3).double().mean()) for state in kept.values()]
    assert shares[2] > 3 * max(shares[0], 0.01)


def test_early_stopping_ends_with_the_best_epoch_on_rows_it_does_not_train_on(options):
    rows = run(options, "none", "early_stopping", data=("diabetes",), epochs=60)
    losses = of_test_rows(rows)
    assert losses["early_stopping"] < losses["none"]
    assert math.isfinite(losses["none"])


@pytest.mark.parametrize(("data", "metric"), [("digits", "accuracy"), ("diabetes", "loss")])
def test_groups_are_parts_of_the_test_rows_and_their_range_is_that_of_their_results(
    options, data, metric
):
    rows = run(options, "none", data=(data,), epochs=3, curves=())
    whole, span = (rows[rows["on"] == on].set_index("seed") for on in ("test", "range of groups"))
    by_group = rows[rows["on"].str.contains("digit|sex")].pivot(
        index="seed", columns="on", values=metric
    )
    order = np.random.default_rng(3).permutation({"digits": 1797, "diabetes": 442}[data])
    test = order[: options.test_rows[data]]
    if data == "digits":
        sizes = np.bincount(load_digits().target[test])
    else:
        sizes = np.bincount(load_diabetes(scaled=False).data[test, 1].astype(int))[1:]
    found = by_group.to_numpy() @ sizes / len(test)
    assert found == pytest.approx(whole[metric].to_numpy(), rel=1e-5)
    assert np.ptp(by_group.to_numpy(), axis=1) == pytest.approx(span[metric].to_numpy())


def test_the_best_epoch_has_the_lowest_validation_loss_and_its_own_network(options):
    rows = run(options, "none", data=("diabetes",), epochs=30, seeds=2)
    curve = rows[rows["on"] == "validation"].pivot(index="seed", columns="epoch", values="loss")
    assert curve.shape == (2, 30)
    best = curve.idxmin(axis=1)
    assert (best < 30).any()
    at_best = rows[rows["on"] == "test, best epoch"].set_index("seed")["loss"]
    for seed, epochs in best.items():
        again = run(options, "none", data=("diabetes",), epochs=epochs, seeds=2, curves=())
        ended = again[again["on"] == "test"].set_index("seed")["loss"]
        assert at_best[seed] == pytest.approx(ended[seed], rel=1e-6)
