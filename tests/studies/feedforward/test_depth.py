"""The study of depth at a small size: its settings, and what single trials must give."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import plumbline.training  # noqa: F401  (installs the torchvision guard before Lightning is imported)
from plumbline.params.feedforward import DepthParams
from plumbline.studies.feedforward import depth
from plumbline.studies.feedforward.claims.depth import STUDY
from plumbline.studies.feedforward.deep.networks import Shape

OPTIONS = {
    "seeds": 2, "pilots": 1, "examples": 128, "width": 8, "batch_size": 64, "epochs": 1, "lr": 0.01,
    "start_depths": [2, 6], "depth": 4, "degradation_depths": [3, 5], "clip_norm": 1.0,
    "clip_value": 1.0, "clipping_lr": 0.1, "high_lr": 0.01, "lr_grid": [0.01, 1e6],
    "checkpoint_depths": [4, 9],
}  # fmt: skip


@pytest.fixture(scope="module")
def rows():
    return depth.run(DepthParams(**OPTIONS), 5, lambda *_: None)


def test_every_setting_has_a_row_per_seed(rows):
    settings = ["part", "depth", "activation", "init", "norm", "block", "optimizer", "lr",
                "schedule", "clip", "checkpointing"]  # fmt: skip
    counts = rows.groupby(settings, dropna=False)["seed"].agg(list)
    assert all(seeds == [0, 1] for seeds in counts)
    parts = rows.groupby("part", sort=False).size() / 2
    assert parts.to_dict() == {
        "start": 2 * 3 * 5, "trained": 3, "degradation": 4, "solutions": 7, "clipping": 8,
        "schedules": 5, "optimizers": 5, "checkpoints": 4,
    }  # fmt: skip


def test_equal_seeds_give_equal_rows(rows):
    again = depth.run(DepthParams(**OPTIONS), 5, lambda *_: None)
    assert rows.equals(again)


def test_a_learning_rate_that_diverges_is_not_chosen(rows):
    assert set(rows.loc[rows["part"] == "optimizers", "lr"]) == {0.01}


def test_claims_name_settings_that_the_study_has(rows):
    for claim in STUDY.claims:
        assert claim.contrast.effects(rows) is not None  # an unknown column would raise


def study(**changes):
    return depth._Study(DepthParams(**{**OPTIONS, **changes}), 5)


def test_slopes_at_the_start_are_those_of_the_theory():
    wide = study(width=128, seeds=4)
    for activation, init in (("sigmoid", "default"), ("tanh", "large"), ("relu", "small")):
        found = wide._start(Shape(12, 128, activation, init))
        assert np.mean(found["excess"]) == pytest.approx(0, abs=0.1)
    assert found["theory"][0] == pytest.approx(math.log10(0.5), rel=1e-3)


def test_a_network_that_diverges_has_no_error_and_says_so():
    shape = Shape(4, 8, "relu", "large", block="residual")
    found = study(epochs=3)._train(shape, depth.Fit("sgd", 1e9))
    assert found["diverged"].tolist() == [1, 1]
    assert np.isnan(found["error"]).all()
    assert np.isnan(found["loss"]).all()


def test_training_lowers_the_loss_below_that_of_a_guess():
    found = study(epochs=20)._train(Shape(2, 8, "relu", "he"), depth.Fit(lr=0.01))
    assert (found["loss"] < math.log(10)).all()
    assert (found["error"] < 90).all()


def test_the_printed_formula_gives_a_length_of_threshold_over_norm():
    long, short = torch.zeros(2, 3), torch.zeros(2, 4)
    long.grad, short.grad = torch.full((2, 3), 4.0), torch.zeros(2, 4)
    short.grad[0] = 2.0
    long.grad[1] = 0.01
    norm = math.sqrt(3 * 16 + 4 * 4)
    depth.clip_as_printed([long, short], 0.5)
    found = torch.cat([long.grad, short.grad], dim=1).norm(dim=1)
    assert float(found[0]) == pytest.approx(0.5 / norm)
    assert float(found[1]) == pytest.approx(0.01 * math.sqrt(3))  # below the threshold: as it was


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ("constant", [1, 1, 1]),
        ("warm-up", [1 / 21, 1, 1]),
        ("step", [1, 0.1, 0.01]),
        ("exponential", [1, 0.1, 0.01]),
        ("cosine", [1, 0.5, 0]),
    ],
)
def test_schedules_at_the_start_the_middle_and_the_end(schedule, factors):
    at = [depth._schedule(schedule, 100)(done) for done in (0, 50, 100)]
    assert at == pytest.approx(factors, abs=1e-4)
