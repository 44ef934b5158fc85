"""Do the works of ``kernel_speed.py`` with one kind of kernels: ``worker.py portable``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

STEPS = 20  # of a network between two answers, so that asking takes no time
sys.path.insert(0, str(Path(__file__).parents[1]))


def main() -> None:
    from plumbline.compat import kernels

    kernels.pin(sys.argv[1])
    answers, sys.stdout = sys.stdout, sys.stderr  # a training may print
    os.chdir(Path(__file__).parents[2])
    for line in sys.stdin:
        work(line.strip())()
        print(file=answers, flush=True)


@cache
def work(what: str) -> Callable[[], object]:
    import numpy as np
    import torch

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(0)
    name, _, kind = what.partition(" ")
    if kind == "step":
        return step(name)
    if name == "default":
        return training(kind)
    if what == "torch exp":
        return partial(torch.exp, torch.randn(100_000))
    double = np.random.default_rng(0).standard_normal((512, 512))
    if name == "NumPy":
        return lambda: double @ double
    a = torch.from_numpy(double)
    a = a if kind.endswith("double") else a.float()
    return lambda: a @ a


def step(name: str) -> Callable[[], object]:
    """Return some updates of a network, with clipped gradients."""
    import torch

    from plumbline.models import build

    if name == "MLP":
        network = build("fnn", inputs=64, outputs=2, hidden=[64, 32], activation="relu",
                        dropout=0.2, norm="none", init="default")  # fmt: skip
        inputs, targets = torch.randn(32, 64), torch.arange(32) % 2
    elif name == "CNN":
        network = build("cnn", image_size=16, image_channels=1, channels=[16, 32], feature_dim=64,
                        outputs=10, dropout=0.2, mean=[0.5], scale=[0.25])  # fmt: skip
        inputs, targets = torch.randint(0, 256, (64, 1, 16, 16)), torch.arange(64) % 10
    else:
        network = build("rnn", vocabulary_size=65, embedding_dim=64, hidden_dim=256, layers=1,
                        cell=name.lower(), dropout=0.0, tied=False)  # fmt: skip
        inputs = torch.randint(0, 65, (32, 16))
        targets = inputs.roll(-1).flatten()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)

    def steps() -> None:
        for _ in range(STEPS):
            optimizer.zero_grad()
            found = network(inputs)
            logits = found[0].flatten(0, 1) if isinstance(found, tuple) else found
            torch.nn.functional.cross_entropy(logits, targets).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()

    return steps


def training(name: str) -> Callable[[], object]:
    """Return a training of a network of the default pipeline, through Lightning."""
    import gpu_default

    from plumbline import params

    return partial(gpu_default.fitted, getattr(gpu_default, name), params.load(), "cpu")


if __name__ == "__main__":
    main()
