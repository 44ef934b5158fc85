"""Fine-tuning of a network of usual size on a GPU, beside timm's loop and plain Lightning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from gpu_clock import (
    AUTOCAST,
    DEVICE,
    ON_GPU,
    Again,
    Loaded,
    lightning,
    matrix_rate,
    peak_memory,
    plain,
    ratio,
)  # fmt: skip
from torch import Tensor, nn

from plumbline.models import build
from plumbline.params import Params
from plumbline.tasks.classify import ClassifierTask

from measure import Row


def rows(architecture: str, parameters: Params, *, image: int, batch: int, steps: int, matrix: int
         ) -> Iterator[Row]:  # fmt: skip
    """Yield a fit through Lightning beside two others, and its feeding beside the fit.

    Images of ``image`` pixels a side; ``matrix`` is the side of the product that sets the limit.
    """
    count = batch * steps
    few = min(count, 2 * batch)  # images; the others are the same ones again
    images = torch.randint(0, 256, (few, 3, image, image), dtype=torch.uint8)
    chosen = torch.arange(count) % few
    targets = torch.arange(few) % 10
    settings = parameters.finetune.optimisation

    def network(memory_format: str) -> nn.Module:
        torch.manual_seed(0)
        return build(
            "timm", architecture=architecture, outputs=10, image_size=image, channels=3,
            mean=[0.5] * 3, scale=[0.25] * 3, dropout=0.0, memory_format=memory_format,
        )  # fmt: skip

    flops = training_flops(network("contiguous"), images[:1])
    if ON_GPU:
        torch.cuda.reset_peak_memory_stats()
    resident = Again(images.to(DEVICE), targets.to(DEVICE), chosen, batch)
    made = compiled(network("channels_last"))
    ours = lightning(ClassifierTask(made, settings=settings), resident, parameters)
    memory = peak_memory()
    theirs = timm_loop(architecture, image=image, batch=batch, steps=steps)
    share = flops * count / ours / matrix_rate(matrix)
    shape = f"{batch} × {image} × {image}"
    yield ratio(22, f"fine-tuning {architecture}", shape, "the loop of timm's benchmark",
                ours, theirs, goal=0.95, note=f"{count / ours:,.0f} images/s, {memory}, "
                f"{share:.0%} of the bfloat16 matrix product's rate")  # fmt: skip
    data = torch.utils.data.TensorDataset(images[chosen], targets[chosen])
    loader = Loaded(torch.utils.data.DataLoader(data, batch_size=batch, shuffle=True))
    naive = ClassifierTask(network("contiguous"), settings=settings)
    slow = lightning(naive, loader, parameters, precision="32-true")
    yield ratio(22, f"fine-tuning {architecture}", shape, "eager Lightning, fp32, DataLoader",
                ours, slow, goal=2)  # fmt: skip
    alone = plain(lambda batch: None, lambda: resident.batches(0))
    yield ratio(22, f"feeding {architecture}", shape, "the step, which feeds itself", alone, ours,
                goal=2, note=f"{count / alone:,.0f} images/s alone, by number")  # fmt: skip


def compiled(network: nn.Module) -> Any:
    placed = network.to(DEVICE)
    return torch.compile(placed) if ON_GPU else placed


def timm_loop(architecture: str, *, image: int, batch: int, steps: int) -> float:
    """Return the seconds of timm's network in the shape of its benchmark: one batch, made before.

    bfloat16 autocast, channels last, compiled; nothing is fetched, scaled or logged.
    """
    import timm

    torch.manual_seed(0)
    layout = torch.channels_last
    made = compiled(timm.create_model(architecture, num_classes=10).to(memory_format=layout))
    inputs = torch.randn(batch, 3, image, image, device=DEVICE)
    inputs = inputs.to(memory_format=layout)
    targets = torch.arange(batch, device=DEVICE) % 10
    optimizer = torch.optim.AdamW(made.parameters(), lr=1e-3, fused=True)

    def step(number: int) -> None:
        optimizer.zero_grad()
        with torch.autocast(**AUTOCAST):
            loss = nn.functional.cross_entropy(made(inputs), targets)
        loss.backward()
        optimizer.step()

    return plain(step, lambda: iter(range(steps)))


def training_flops(network: nn.Module, sample: Tensor) -> float:
    """Return the operations of a training step on one sample: three times the forward pass."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(sample)
    return 3.0 * counter.get_total_flops()
