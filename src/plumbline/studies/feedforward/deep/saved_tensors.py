"""Count the memory of a backward pass, with and without gradient checkpointing."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint_sequential


@dataclass(frozen=True)
class PassCost:
    """Cost of a forward and a backward pass.

    Attributes
    ----------
    peak_bytes : int
        Most bytes that were kept for the backward pass at one time, without weights; tensors that
        share their memory count once.
    layer_runs : int
        How often a linear layer ran forwards.
    """

    peak_bytes: int
    layer_runs: int


class _Kept:
    """A tensor that autograd keeps; it counts until autograd lets go of it."""

    def __init__(self, tensor: Tensor, meter: _Meter) -> None:
        storage = tensor.untyped_storage()
        self.tensor, self._meter = tensor, meter
        self._key, self._bytes = storage.data_ptr(), storage.nbytes()
        meter.add(self._key, self._bytes)

    def __del__(self) -> None:
        self._meter.remove(self._key, self._bytes)


class _Meter:
    def __init__(self, weights: set[int]) -> None:
        self._weights, self._users = weights, Counter[int]()
        self.now = self.peak = 0

    def add(self, key: int, size: int) -> None:
        if key in self._weights:
            return
        self._users[key] += 1
        if self._users[key] == 1:
            self.now += size
            self.peak = max(self.peak, self.now)

    def remove(self, key: int, size: int) -> None:
        if key in self._weights:
            return
        self._users[key] -= 1
        if not self._users[key]:
            self.now -= size


def measure(network: nn.Sequential, inputs: Tensor, *, segments: int) -> PassCost:
    """Run one forward and one backward pass, and return their cost.

    Parameters
    ----------
    network : Sequential
        Its gradients are set.
    inputs : Tensor
        ``(N, F)``.
    segments : int
        Parts whose inputs alone are kept; the backward pass computes their insides again. 0 for no
        checkpointing. √L parts of L layers need the least memory ("Training deep nets with
        sublinear memory cost", Chen et al. 2016, section 4.1).
    """
    runs = 0

    def count(module: nn.Module, given: Any, output: Tensor) -> None:
        nonlocal runs
        runs += 1

    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    hooks = [module.register_forward_hook(count) for module in linear]
    meter = _Meter({p.untyped_storage().data_ptr() for p in network.parameters()})
    inputs = inputs.clone().requires_grad_()  # or segments would have no gradient to hand on
    network.zero_grad()
    try:
        with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor: _Kept(tensor, meter), lambda kept: kept.tensor
        ):
            if segments:
                run: Any = checkpoint_sequential
                outputs = run(network, segments, inputs, use_reentrant=True)
            else:
                outputs = network(inputs)
            outputs.square().mean().backward()
    finally:
        for hook in hooks:
            hook.remove()
    return PassCost(meter.peak, runs)


def best_segments(depth: int) -> int:
    """Return the number of segments that keeps least: √L of L layers, rounded."""
    return max(1, round(math.sqrt(depth)))
