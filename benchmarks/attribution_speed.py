"""Integrated gradients of a feed-forward network against Captum."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline import models
from plumbline.compat import torchvision
from plumbline.inference.explanations.integrated_gradients import integrated_gradients

import measure
from measure import Row, faster, take_turns

torchvision.install()

SAMPLES, FEATURES, NODES = 2000, 30, 50


def rows() -> Iterator[Row]:
    import torch
    from captum.attr import IntegratedGradients

    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = models.build(
        "fnn", inputs=FEATURES, outputs=2, hidden=[128, 64], activation="relu", dropout=0.1,
        norm="none", init="he_normal",
    ).eval()  # fmt: skip
    inputs, baseline = torch.randn(SAMPLES, FEATURES), torch.zeros(FEATURES)
    explainer = IntegratedGradients(network)

    def captum() -> tuple[torch.Tensor, torch.Tensor]:
        return explainer.attribute(
            inputs, baseline[None], target=1, n_steps=NODES, method="gausslegendre",
            return_convergence_delta=True,
        )  # fmt: skip

    def ours() -> tuple[torch.Tensor, torch.Tensor]:
        return integrated_gradients(lambda x: network(x)[:, 1], inputs, baseline, nodes=NODES)

    network.requires_grad_(False)
    mine, theirs = ours(), captum()
    assert (mine[0] - theirs[0]).abs().max() < 1e-6
    assert (mine[1] - theirs[1]).abs().max() < 1e-5  # a sum of 30 in single precision
    yield faster(
        17, "integrated gradients", f"{SAMPLES:,} × {FEATURES}, {NODES} nodes", "Captum",
        take_turns(ours, captum, turns=7), goal=8,
        note="with completeness gap; equal to 1e-6; parameters without gradient; 1 thread each",
    )  # fmt: skip


if __name__ == "__main__":
    measure.main(rows, __doc__)
