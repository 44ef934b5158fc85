"""The operations of a convolutional network, one by one, forward and backward.

As in `reference`, arithmetic, sizes and order stay as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import Quantities


def quantities() -> Quantities:
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    def back(y: Tensor) -> None:
        y.backward(draw(*y.shape))

    x, w = draw(8, 3, 32, 32).requires_grad_(), draw(16, 3, 3, 3).requires_grad_()
    y = functional.conv2d(x, w, padding=1)
    yield "conv", y
    back(y)
    yield "conv.dw", w.grad
    yield "conv.dx", x.grad
    x, norm = draw(8, 16, 32, 32).requires_grad_(), nn.BatchNorm2d(16)
    y = norm(x)
    yield "bn", y
    back(y)
    yield "bn.b", (x.grad, norm.weight.grad, norm.bias.grad)
    for name, side, layer in (
        ("max", 32, nn.MaxPool2d(2)),
        ("silu", 16, nn.SiLU()),
        ("avg", 16, nn.AdaptiveAvgPool2d(1)),
    ):
        x = draw(8, 16, side, side).requires_grad_()
        y = layer(x)
        yield name, y
        back(y)
        yield f"{name}.b", x.grad
    x, w = draw(8, 16, 16, 16).requires_grad_(), draw(32, 16, 3, 3).requires_grad_()
    y = functional.conv2d(x, w, stride=2, padding=1)
    yield "conv2", y
    back(y)
    yield "conv2.b", (x.grad, w.grad)
    logits = draw(8, 10).requires_grad_()
    functional.cross_entropy(logits, torch.arange(8)).backward()
    yield "ce.b", logits.grad
    parameter = draw(1000).requires_grad_()
    parameter.grad = draw(1000)
    optimizer = torch.optim.AdamW([parameter], lr=1e-3, fused=True)
    optimizer.step()
    optimizer.step()
    yield "adamw", parameter
    torch.nn.utils.clip_grad_norm_([parameter], 1.0)
    yield "clip", parameter.grad
