"""Compare networks for pictures at equal parameters: accuracy, and what changed pictures do to it.

Pictures stand in the middle of a larger black canvas, so that shifts have room.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy import ndimage
from torch import Tensor, nn

from plumbline.models import count_parameters
from plumbline.studies.transfer import corruptions, image_networks, pictures, texts

if TYPE_CHECKING:
    from plumbline.params.transfer import ConvolutionsParams
    from plumbline.studies.framework.rows import Progress

log = logging.getLogger(__name__)

UPDATES, OPERATIONS = "updates", "operations"  # what is equal between networks
IN_PLACE, SHUFFLED = "in place", "shuffled"  # pixels
FILTERS, MAPS = "lenet", "vgg"  # whose filters and maps are drawn
VALUES = (
    "accuracy", "parameters", "multiply_adds", "epochs", "amount", "field", "field_error",
    "likeness", "value",
)  # fmt: skip
_BACKWARD = 3  # a training step takes about three times the multiply-adds of a prediction
_DRAWN = 4  # channels per layer
OTHER = "values of the other parts"  # why a row lacks them
Pixels = npt.NDArray[np.uint8]
Row = dict[str, Any]


@dataclass(frozen=True)
class Canvases:
    """Pictures ``(N, 1, H, H)`` on canvases: test rows, and the rest, of which seeds draw."""

    rest: tuple[Pixels, npt.NDArray[np.int64]]
    test: tuple[Pixels, npt.NDArray[np.int64]]

    def draw(self, count: int, seed: int) -> tuple[Tensor, Tensor]:
        """Return training rows of a seed."""
        images, targets = self.rest
        rows = np.random.default_rng(seed).permutation(len(targets))[:count]
        return scaled(images[rows]), torch.tensor(targets[rows])


def run(options: ConvolutionsParams, seed: int, progress: Progress) -> pd.DataFrame:
    """Return the rows of all parts of the study.

    Returns
    -------
    DataFrame
        ``part, data, network, pixels, equal, change, amount, layer, weights, number, row, column,
        seed``.
        Of *accuracy*: ``accuracy`` (test rows), ``parameters``, ``multiply_adds`` (of the
        training), ``epochs``. Of *change*: ``accuracy`` of test pictures after a change by an
        amount. Of *sharing*: ``parameters`` of a convolution, and of the dense layer from the same
        inputs to the same map. Of *field*: the receptive ``field`` of a layer by gradient, and its
        difference to the closed form. Of *edges*: ``likeness`` of the first filters to an edge. Of
        *text*: ``accuracy``. Of *picture*: the ``value`` of a pixel of a filter or map of the first
        seed. Values of other parts are NaN.
    """
    torch.set_num_threads(1)  # the order of sums must not depend on the machine
    names = list(image_networks.NETWORKS)
    fits = [(name, IN_PLACE) for name in names] + [(name, SHUFFLED) for name in options.shuffled]
    sources = [("digits", None), *([("mnist", options.mnist)] if options.mnist else [])]
    total, rows, done = options.seeds * len(fits) * len(sources) + 1, list[Row](), 0
    for source, folder in sources:
        data = _load(source, folder, options, seed)
        for number in range(options.seeds):
            own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
            for name, pixels in fits:
                before = time.perf_counter()
                place = {"data": source, "network": name, "pixels": pixels, "seed": number}
                found = _Fit(data, name, pixels, options, own).rows()
                rows += (
                    {**place, **row} for row in found if row["part"] != "picture" or not number
                )
                done += 1
                progress(done, total, f"{source}, {name}, {pixels}")
                log.info("%s, %s: %.1f s", name, pixels, time.perf_counter() - before)
    rows += texts.measure(options.text, options.seeds, seed)
    progress(total, total, "text")
    table = pd.DataFrame(rows)
    reasons = table[list(VALUES)].isna().any(axis=1).map({True: OTHER, False: None})
    return table.assign(reason=reasons)


def scaled(images: Pixels) -> Tensor:
    """Return bytes as float32 in [0, 1]."""
    return torch.tensor(images, dtype=torch.float32) / 255


def changed(images: Pixels, change: str, amount: float, seed: int) -> list[Pixels]:
    """Return pictures after a change: shifted to four sides, rotated to both, or with noise."""
    if change == "shift":
        by = int(amount)
        return [np.roll(images, sign * by, axis) for axis in (2, 3) for sign in (1, -1)]
    if change == "rotation":
        angles = (amount, -amount)
        return [ndimage.rotate(images, a, axes=(3, 2), reshape=False, order=1) for a in angles]
    return [corruptions.corrupt(images, change, int(amount), seed=seed)]


def _load(name: str, folder: str | None, options: ConvolutionsParams, seed: int) -> Canvases:
    found = pictures.load(name, folder, seed=seed, size=options.pixels)
    rest, test = found.split(options.test_share, seed=seed)
    room = [(0, 0), (0, 0), (options.margin,) * 2, (options.margin,) * 2]
    images = np.pad(found.images, room)
    test = test[: options.test_rows]
    return Canvases((images[rest], found.targets[rest]), (images[test], found.targets[test]))


class _Fit:
    """One network, trained on the rows of one seed."""

    def __init__(
        self, data: Canvases, name: str, pixels: str, options: ConvolutionsParams, seed: int
    ) -> None:
        self.name, self.options, self.seed, self.test = name, options, seed, data.test
        self.side = data.test[0].shape[-1]
        order = np.random.default_rng(options.pixels).permutation(self.side**2)  # of all seeds
        self.order = torch.tensor(order) if pixels == SHUFFLED else None
        inputs, self.targets = data.draw(options.train_rows, seed)
        self.inputs = self._placed(inputs)
        build = image_networks.build
        self.network: Any = build(name, self.side, parameters=options.parameters, seed=seed)

    def rows(self) -> Iterator[Row]:
        """Train, and yield the rows of the network; of shuffled pixels at equal updates alone."""
        options, plain = self.options, self.order is None
        if self.name == FILTERS and plain:
            yield {"part": "edges", "layer": "before training", "likeness": self._likeness()}
            yield from _sharing(self.network, self.side)
        forward = image_networks.multiply_adds(self.network, self.inputs[:1])
        each = _BACKWARD * forward * len(self.targets)
        ends = {UPDATES: options.epochs}
        if plain and self.name in options.networks:
            ends[OPERATIONS] = max(1, round(options.operations / each))
        for epoch in image_networks.fit(
            self.network, self.inputs, self.targets, epochs=max(ends.values()), lr=options.lr,
            batch_size=options.batch_size, seed=self.seed,
        ):  # fmt: skip
            for equal in (equal for equal, end in ends.items() if end == epoch):
                yield {
                    "part": "accuracy", "equal": equal, "accuracy": self._accuracy([self.test[0]]),
                    "parameters": count_parameters(self.network), "multiply_adds": each * epoch,
                    "epochs": epoch,
                }  # fmt: skip
                if equal == UPDATES and plain:
                    yield from self._changes()
        if plain:
            yield from self._insights()

    def _changes(self) -> Iterator[Row]:
        for change, amounts in self.options.changes.items():
            if change != "shift" and self.name not in self.options.networks:
                continue
            for amount in amounts:
                versions = changed(self.test[0], change, amount, self.seed)
                accuracy = self._accuracy(versions)
                yield {"part": "change", "change": change, "amount": amount, "accuracy": accuracy}

    def _insights(self) -> Iterator[Row]:
        """Yield receptive fields, the likeness of filters to edges, filters and feature maps."""
        if self.name == MAPS:
            for at, field, closed in image_networks.receptive_fields(self.network, 64):
                error = field - closed
                yield {"part": "field", "layer": f"{at}", "field": field, "field_error": error}
            yield from self._maps()
        if self.name == FILTERS:
            yield {"part": "edges", "layer": "after training", "likeness": self._likeness()}
            yield from _pixels("filters", self.network[0].weight[:, 0].detach())

    @torch.no_grad()
    def _maps(self) -> Iterator[Row]:
        maps = scaled(self.test[0][:1])
        yield from _pixels("input", maps[0])
        convolution = 0
        for layer in self.network:
            maps = layer(maps)
            if isinstance(layer, nn.ReLU):
                convolution += 1
                yield from _pixels(f"convolution {convolution}", maps[0])

    @torch.no_grad()
    def _accuracy(self, versions: Sequence[Pixels]) -> float:
        targets = torch.tensor(self.test[1])
        outputs = [self.network(self._placed(scaled(images))).argmax(1) for images in versions]
        return float((torch.stack(outputs) == targets).double().mean())

    def _likeness(self) -> float:
        return image_networks.edge_likeness(self.network[0].weight[:, 0].detach())

    def _placed(self, inputs: Tensor) -> Tensor:
        if self.order is None:
            return inputs
        return inputs.flatten(2)[:, :, self.order].view(inputs.shape)


def _sharing(network: nn.Sequential, side: int) -> Iterator[Row]:
    """Yield the parameters of each convolution, and of the dense layer between the same maps."""
    maps, number = torch.zeros(1, 1, side, side), 0
    for layer in network.eval():
        before, maps = maps[0].numel(), layer(maps)
        if isinstance(layer, nn.Conv2d):
            number += 1
            counts = {"shared": count_parameters(layer), "dense": before * maps[0].numel()}
            for kind, parameters in counts.items():
                yield {
                    "part": "sharing", "layer": f"convolution {number}", "weights": kind,
                    "parameters": parameters,
                }  # fmt: skip


def _pixels(layer: str, maps: Tensor) -> Iterator[Row]:
    for (number, row, column), value in np.ndenumerate(maps[:_DRAWN].double().numpy()):
        place = {"number": number, "row": row, "column": column}
        yield {"part": "picture", "layer": layer, **place, "value": value}
