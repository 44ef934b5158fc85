"""timm networks on the CPU: the layout that the probe names, beside contiguous images.

The choice is made by ``plumbline layout`` beforehand, as a user makes it, and its gain is measured
again in turns of its own: a choice by luck would show as a loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from plumbline.training.layout import infer, probe_layouts, train

from plumbline import models

import measure
from measure import Row, faster, take_turns

CASES = (  # architecture, pixels, channels, images, has depthwise convolutions
    ("test_resnet", 32, 1, 64, False),
    ("resnet18", 64, 3, 16, False),
    ("test_efficientnet", 96, 3, 32, True),
    ("mobilenetv3_small_050", 64, 3, 32, True),
    ("test_vit", 160, 3, 16, False),
)
NEVER_SLOWER, DEPTHWISE = 0.95, 1.3


def rows() -> Iterator[Row]:
    torch.set_num_threads(1)
    for architecture, size, channels, images, depthwise in CASES:
        pixels = torch.randint(256, (images, channels, size, size), dtype=torch.uint8)
        targets = torch.randint(10, (images,))
        found = probe_layouts(
            architecture, image_size=size, channels=channels, batch_size=images, turns=3
        )
        for work, run in works(pixels, targets).items():
            layout = min(found[work], key=found[work].__getitem__)
            what, shape = f"{architecture}, {work}", f"{images} × {channels}×{size}×{size}"
            goal = DEPTHWISE if depthwise and work == "train" else NEVER_SLOWER
            if layout == "contiguous":
                yield Row(
                    15, what, shape, "contiguous, eager", "the same", f"≥ {goal:g}×", goal <= 1,
                    note="1 thread; the probe chose contiguous",
                )  # fmt: skip
                continue
            ours, peer = (build(architecture, size, channels, name) for name in
                          (layout, "contiguous"))  # fmt: skip
            ours.load_state_dict(peer.state_dict())
            with torch.inference_mode():
                torch.testing.assert_close(
                    ours.eval()(pixels), peer.eval()(pixels), rtol=1e-3, atol=1e-3
                )
            turns = take_turns(lambda n=ours, f=run: f(n), lambda n=peer, f=run: f(n), turns=5)
            yield faster(
                15, what, shape, "contiguous, eager", turns, goal=goal,
                note="1 thread; the probe chose channels_last",
                why="What the probe measured was within the noise of the machine.",
            )  # fmt: skip


def works(pixels: torch.Tensor, targets: torch.Tensor) -> dict[str, Callable[[Any], None]]:
    return {
        "train": lambda network: train(network, pixels, targets),
        "infer": lambda network: infer(network, pixels),
    }


def build(architecture: str, size: int, channels: int, layout: str) -> Any:
    torch.manual_seed(0)
    return models.build(
        "timm", architecture=architecture, outputs=10, image_size=size, channels=channels,
        mean=[127.5] * channels, scale=[64.0] * channels, dropout=0.0, memory_format=layout,
    )  # fmt: skip


if __name__ == "__main__":
    measure.main(rows, __doc__)
