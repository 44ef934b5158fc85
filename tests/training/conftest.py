from __future__ import annotations

import itertools

import pytest

import plumbline.training  # noqa: F401  (installs the torchvision guard before Lightning is imported)
from plumbline.params.models import Optimisation, TrainerParams
from plumbline.runs.fit_context import FitContext

TRAINER = {
    "accelerator": "cpu",
    "devices": 1,
    "num_nodes": 1,
    "strategy": "auto",
    "precision": "32-true",
    "deterministic": True,
    "threads": 1,
    "trace": False,
    "diagnostics": False,
    "kernels": "portable",
    "checkpoint_seconds": 10.0,
}
OPTIMISATION = {
    "optimizer": "adamw",
    "lr": 0.02,
    "weight_decay": 0.01,
    "batch_size": 16,
    "accumulate": 1,
    "max_epochs": 4,
    "patience": 4,
    "schedule": "cosine",
    "warmup_fraction": 0.1,
    "gradient_clip": 1.0,
    "label_smoothing": 0.0,
    "l1": 0.0,
    "beta2": 0.999,
}


@pytest.fixture
def trainer_params():
    return lambda **changes: TrainerParams(**{**TRAINER, **changes})


@pytest.fixture
def optimisation():
    return lambda **changes: Optimisation(**{**OPTIMISATION, **changes})


@pytest.fixture
def context(tmp_path, trainer_params):
    numbers = itertools.count()  # a fit that finds another one's work would go on from it

    def make(**changes):
        defaults = {
            "stage": "train_toy",
            "work": tmp_path / "work" / str(next(numbers)) / "fit",
            "seed": 7,
            "trainer": trainer_params(),
        }
        return FitContext(**{**defaults, **changes})

    return make
