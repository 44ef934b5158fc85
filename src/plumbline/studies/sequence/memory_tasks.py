"""The adding task and the copy task.

Shape letters: ``S`` networks, ``T`` steps, ``B`` sequences, ``F`` inputs, ``K`` last steps, which
have outputs, ``O`` outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

COPIED, SYMBOLS = 2, 4  # symbols to copy, and of how many


@dataclass(frozen=True)
class Task:
    """A task on sequences that are drawn anew for every update.

    Attributes
    ----------
    inputs, outputs, last : int
        Inputs of a step, outputs of a step, and how many last steps have them.
    draw : callable
        Sequences, distance in steps, generator → inputs ``(T, B, F)`` and targets ``(K, B)``.
    losses, errors : callable
        Outputs ``(S, K, B, O)``, targets ``(S, K, B)`` → of each network ``(S,)``.
    baseline : float
        Error of the best constant prediction.
    """

    inputs: int
    outputs: int
    last: int
    draw: Callable[[int, int, torch.Generator], tuple[Tensor, Tensor]]
    losses: Callable[[Tensor, Tensor], Tensor]
    errors: Callable[[Tensor, Tensor], Tensor]
    baseline: float


def adding(count: int, steps: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw numbers in [0, 1), of which a number of each half is marked; the target is their sum."""
    values = torch.rand(steps, count, generator=draws)
    half = steps // 2
    first = torch.randint(half, (count,), generator=draws)
    second = torch.randint(half, steps, (count,), generator=draws)
    marks = functional.one_hot(torch.stack([first, second]), steps).sum(0).T
    return torch.stack([values, marks], dim=2), (values * marks).sum(0, keepdim=True)


def copying(count: int, steps: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw symbols, each of which is the target so many steps after it; between are blanks."""
    symbols = torch.randint(SYMBOLS, (COPIED, count), generator=draws)
    codes = torch.full((steps + COPIED, count), SYMBOLS)  # blank
    codes[:COPIED] = symbols
    codes[-COPIED:] = SYMBOLS + 1  # asks for a symbol
    return functional.one_hot(codes, SYMBOLS + 2).float(), symbols


def _squares(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs.squeeze(3) - targets).square().mean((1, 2))


def _cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    found = functional.cross_entropy(outputs.flatten(0, 2), targets.flatten(), reduction="none")
    return found.view(len(outputs), -1).mean(1)


def _wrong(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs.argmax(3) != targets).to(outputs.dtype).mean((1, 2))


TASKS = {
    "adding": Task(2, 1, 1, adding, _squares, _squares, 1 / 6),
    "copying": Task(SYMBOLS + 2, SYMBOLS, COPIED, copying, _cross_entropy, _wrong, 1 - 1 / SYMBOLS),
}
