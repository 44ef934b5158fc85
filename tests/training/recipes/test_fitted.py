"""Fitted models: the weights that are kept."""

from __future__ import annotations

import torch

from plumbline.training.recipes.fitted import portable_weights


def test_weights_of_any_precision_are_kept_in_single():
    network = torch.nn.BatchNorm1d(3).to(torch.bfloat16)
    kept = {name: value.dtype for name, value in portable_weights(network).items()}
    assert kept == {
        "weight": torch.float32,
        "bias": torch.float32,
        "running_mean": torch.float32,
        "running_var": torch.float32,
        "num_batches_tracked": torch.int64,
    }
