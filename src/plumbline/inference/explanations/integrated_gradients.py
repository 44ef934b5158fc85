"""Attributions of a prediction to features: integrated gradients.

Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", ICML 2017,
https://arxiv.org/abs/1703.01365, section 3. ``N`` samples, ``F`` features, ``K`` outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]

_BLOCK = 1024  # samples whose gradients are taken at once: a step then fits into a cache


class Attributions(NamedTuple):
    """Attributions of an output to each feature.

    Attributes
    ----------
    values : Tensor
        ``(N, F)``, in units of the output.
    gap : Tensor
        ``(N,)``, the completeness gap: the sum of the values minus f(x) - f(baseline). It is 0 but
        for the error of the quadrature.
    """

    values: Tensor
    gap: Tensor


def integrated_gradients(
    function: Function,
    inputs: Tensor,
    baseline: Tensor,
    *,
    nodes: int,
    progress: Callable[[int], None] | None = None,
) -> Attributions:
    """Return (x - b) times the mean gradient between a baseline b and x, and the completeness gap.

    Gauss-Legendre quadrature takes the mean over the straight path, node by node: memory is that of
    one block of samples, however many nodes there are.

    Parameters
    ----------
    function : callable
        ``(n, F)`` → ``(n,)``, each row from its own row alone; a network in evaluation mode whose
        parameters need no gradient.
    inputs : Tensor
        ``(N, F)``.
    baseline : Tensor
        ``(F,)``: an input without information, for example the mean of the training rows.
    nodes : int
        >= 1; exact for networks whose gradient along the path is a polynomial of degree below
        2·nodes.
    progress : callable, optional
        Called after each block with its number of samples.

    Returns
    -------
    Attributions

    Raises
    ------
    ValueError
        If ``nodes`` is below 1, or the shapes do not fit.
    """
    if nodes < 1:
        raise ValueError(f"attributions: nodes must be >= 1, got {nodes}")
    if inputs.ndim != 2 or baseline.shape != inputs.shape[1:]:
        raise ValueError(
            f"attributions: inputs must be (N, F) and the baseline (F,), got "
            f"{tuple(inputs.shape)} and {tuple(baseline.shape)}"
        )
    places, weights = np.polynomial.legendre.leggauss(nodes)
    rule = [(float(p + 1) / 2, float(w) / 2) for p, w in zip(places, weights, strict=True)]
    parts = []
    for block in torch.split(inputs, _BLOCK):
        parts.append(_path(function, block, baseline, rule))
        if progress is not None:
            progress(len(block))
    values = torch.cat(parts)
    with torch.no_grad():
        ends = function(inputs) - function(baseline[None])
    return Attributions(values, values.sum(dim=1) - ends)


def _path(
    function: Function, inputs: Tensor, baseline: Tensor, rule: list[tuple[float, float]]
) -> Tensor:
    steps, mean = inputs - baseline, torch.zeros_like(inputs)
    for place, weight in rule:
        point = torch.add(baseline, steps, alpha=place).requires_grad_(True)
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(function(point).sum(), point)
        mean.add_(gradient, alpha=weight)
    return mean.mul_(steps)
