"""Examine attributions of digits: faithfulness, agreement, randomised weights, a shortcut, groups.

``N`` pictures of ``S`` × ``S`` pixels.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy.stats import rankdata
from torch import Tensor, nn

from plumbline.data.pixels.moments import slant
from plumbline.inference.explanations.images import maps
from plumbline.inference.explanations.outputs import GRAD_CAM, INTEGRATED_GRADIENTS, OCCLUSION
from plumbline.models.layers import seeded_weights
from plumbline.studies.transfer import pictures
from plumbline.studies.transfer.small_fits import CNN, fit, probabilities
from plumbline.studies.transfer.tuning import SIDE

if TYPE_CHECKING:
    from plumbline.params.transfer import ExplanationsParams
    from plumbline.studies.framework.rows import Progress

METHODS = (INTEGRATED_GRADIENTS, GRAD_CAM, OCCLUSION)
RANDOM, INK = "random", "ink"  # references that know nothing of the network
MARK, MARKED_CLASS = 3, 7  # pixels of the mark's side; the digit that has it in training
VALUES = ("deletion", "insertion", "tau", "signed", "share", "recall", "slant", "gap", "accuracy")
OTHER = "values of the other parts"  # why a row lacks them
Floats = npt.NDArray[np.float64]
Maps = dict[str, Floats]
Row = dict[str, Any]


def run(options: ExplanationsParams, seed: int, progress: Progress) -> pd.DataFrame:
    """Return the rows of all parts, per seed of weights and split.

    Returns
    -------
    DataFrame
        ``part, method, seed``. Of *curves*: ``deletion`` and ``insertion``, the mean probability of
        the predicted class while pixels vanish or appear by falling attribution. Of *agreement*:
        ``tau``, the mean rank correlation of absolute maps with those of the method ``other``. Of
        *randomised*: ``tau`` (absolute) and ``signed`` with the maps before ``layers`` layers had
        their weights drawn again, from the output on. Of *shortcut*: ``trained`` (on marked or
        plain pictures), ``share`` of the absolute attribution on the mark, and with the method
        ``none`` ``recall`` of marked and of plain pictures of the class. Of *groups*: ``slant`` of
        the absolute maps, and ``accuracy``, by ``group``. Of *check*: ``gap``, the mean
        completeness gap as a share of the change. Of *example*, of the first seed: ``picture``,
        ``map`` (bytes as hexadecimal digits) and ``text``. Values of other parts are NaN.
    """
    torch.set_num_threads(1)  # the order of sums must not depend on the machine
    data = pictures.load("digits", seed=seed, size=SIDE)
    found: list[Row] = []
    for number in range(options.seeds):
        own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        rows = _Seed(data, options, own).rows(examples=number == 0)
        found += ({**row, "seed": number} for row in rows)
        progress(number + 1, options.seeds, f"seed {number}")
    table = pd.DataFrame(found)
    columns = [name for name in table if name not in VALUES]
    return table.reindex(columns=[*columns, *VALUES]).assign(reason=OTHER)


class _Seed:
    """A network trained on one split, and the pictures that are explained."""

    def __init__(self, data: pictures.Pictures, options: ExplanationsParams, seed: int) -> None:
        self.options, self.seed = options, seed
        train, test = data.split(options.test_share, seed=seed)
        self.rng = np.random.default_rng(seed)
        images, targets = torch.from_numpy(data.images), torch.from_numpy(data.targets)
        self.train, self.test = (images[train], targets[train]), (images[test], targets[test])
        self.groups = data.groups["slant"][test]
        self.baseline = self.train[0].float().mean(dim=0)
        self.network = self.fit(*self.train)
        self.codes = probabilities(self.network, self.test[0]).argmax(dim=1)
        self.chosen = torch.arange(min(options.pictures, len(test)))

    def fit(self, images: Tensor, targets: Tensor) -> nn.Module:
        options = self.options
        return fit(CNN, images, targets, epochs=options.epochs, rate=options.rate, seed=self.seed)

    def rows(self, *, examples: bool) -> Iterator[Row]:
        images, codes = self.test[0][self.chosen], self.codes[self.chosen]
        found = {name: self.explain(self.network, images, codes, name) for name in METHODS}
        random = self.rng.random(found[OCCLUSION].shape)
        ink = (images.float() - self.baseline)[:, 0].abs().double().numpy()
        for name, values in {**found, RANDOM: random, INK: ink}.items():
            yield {"part": "curves", "method": name, **self.curves(images, codes, values)}
        absolute = {name: np.abs(values) for name, values in {**found, INK: ink}.items()}
        for first, second in itertools.combinations(absolute, 2):
            tau = _similarity(absolute[first], absolute[second])
            yield {"part": "agreement", "method": first, "other": second, "tau": tau}
        last: Maps = {}
        for layers, network in enumerate(self.randomised(), start=1):
            last = {name: self.explain(network, images, codes, name) for name in METHODS}
            for name, values in last.items():
                yield {
                    "part": "randomised", "method": name, "layers": layers,
                    "tau": _similarity(absolute[name], np.abs(values)),
                    "signed": _similarity(found[name], values),
                }  # fmt: skip
        yield from self.shortcut()
        yield from self.by_group()
        if examples:
            yield from self.examples({**found, "randomised weights": last[INTEGRATED_GRADIENTS]})

    def explain(self, network: nn.Module, images: Tensor, codes: Tensor, method: str) -> Floats:
        values, _ = maps(
            network, images, codes, self.baseline, method=method, nodes=self.options.nodes
        )
        return values.double().numpy()

    def curves(self, images: Tensor, codes: Tensor, values: Floats) -> Mapping[str, float]:
        """Return the areas under both curves; the mean training picture is what is left."""
        flat = values.reshape(len(values), -1)
        noise = self.rng.random(flat.shape)  # ties, as of Grad-CAM's zeros, are in a drawn order
        order = np.lexsort((noise, -flat), axis=1)
        place = torch.from_numpy(order.argsort(axis=1)).view(len(images), 1, *images.shape[2:])
        steps, pixels = self.options.steps, flat.shape[1]
        deleted: list[float] = []
        inserted: list[float] = []
        for step in range(steps + 1):
            first = place < round(step / steps * pixels)
            for kept, curve in ((~first, deleted), (first, inserted)):
                shown = torch.where(kept, images.float(), self.baseline)
                found = probabilities(self.network, shown).gather(1, codes[:, None])
                curve.append(float(found.mean()))
        areas = (float(np.trapezoid(curve, dx=1 / steps)) for curve in (deleted, inserted))
        return dict(zip(("deletion", "insertion"), areas, strict=True))

    def randomised(self) -> Iterator[nn.Module]:
        """Yield the network with ever more layers drawn again, from the output on.

        Adebayo et al. 2018, "Sanity checks for saliency maps", https://arxiv.org/abs/1810.03292.
        """
        network = copy.deepcopy(self.network)
        layers = [each for each in network.modules() if isinstance(each, nn.Conv2d | nn.Linear)]
        with seeded_weights(self.seed + 1):
            for layer in reversed(layers):
                layer.reset_parameters()
                yield network

    def shortcut(self) -> Iterator[Row]:
        """Train with a mark on every picture of one digit, and look for it in the maps."""
        images, targets = self.train
        of_class = targets == MARKED_CLASS
        trained = {
            "marked": self.fit(torch.where(of_class.view(-1, 1, 1, 1), _marked(images), images),
                               targets),
            "plain": self.network,
        }  # fmt: skip
        plain = self.test[0][self.test[1] == MARKED_CLASS]
        codes = torch.full((len(plain),), MARKED_CLASS)
        for name, network in trained.items():
            for shown, pixels in (("marked", _marked(plain)), ("plain", plain)):
                recall = float(
                    (probabilities(network, pixels).argmax(dim=1) == codes).double().mean()
                )
                place = {"part": "shortcut", "method": "none", "trained": name, "shown": shown}
                yield {**place, "recall": recall}
            for method in METHODS:
                values = np.abs(self.explain(network, _marked(plain), codes, method))
                on, every = values[:, :MARK, :MARK].sum(axis=(1, 2)), values.sum(axis=(1, 2))
                share = float((on / np.where(every > 0, every, 1)).mean())
                place = {"part": "shortcut", "method": method, "trained": name, "shown": "marked"}
                yield {**place, "share": share}

    def by_group(self) -> Iterator[Row]:
        """Measure accuracy and the slant of maps in each group of slants, and the gap."""
        images, targets = self.test
        right = (self.codes == targets).double().numpy()
        values, gap = maps(
            self.network, images, self.codes, self.baseline, method=INTEGRATED_GRADIENTS,
            nodes=self.options.nodes,
        )  # fmt: skip
        change = (values.sum(dim=(1, 2)) - gap).abs().mean()
        yield {"part": "check", "method": INTEGRATED_GRADIENTS,
               "gap": float(gap.abs().mean() / change)}  # fmt: skip
        absolute = np.abs(values.numpy())
        slants = slant(_bytes(absolute))
        for group in np.unique(self.groups):
            chosen = self.groups == group
            yield {
                "part": "groups", "method": INTEGRATED_GRADIENTS, "group": str(group),
                "accuracy": float(right[chosen].mean()), "slant": float(slants[chosen].mean()),
            }  # fmt: skip

    def examples(self, found: Maps) -> Iterator[Row]:
        images, targets = self.test
        wrong = (self.codes != targets)[self.chosen].double()
        for picture in wrong.argsort(descending=True, stable=True)[:6].tolist():
            place = {"part": "example", "picture": picture}
            text = f"{targets[picture]} read as {self.codes[picture]}"
            yield {**place, "method": "picture", "text": text,
                   "map": images[picture, 0].numpy().tobytes().hex()}  # fmt: skip
            for name, values in found.items():
                own = values[picture] / (np.abs(values[picture]).max() or 1)
                signed = np.rint(128 + 127 * own).astype(np.uint8)
                yield {**place, "method": name, "text": "", "map": signed.tobytes().hex()}


def _marked(images: Tensor) -> Tensor:
    found = images.clone()
    found[..., :MARK, :MARK] = 255
    return found


def _bytes(values: Floats) -> npt.NDArray[np.uint8]:
    """Return maps with 255 for the largest value of each."""
    largest = values.max(axis=(1, 2), keepdims=True)
    return np.rint(255 * values / np.where(largest > 0, largest, 1)).astype(np.uint8)


def _similarity(first: Floats, second: Floats) -> float:
    """Return the mean of Spearman's rank correlation over pictures; 0 for a map of one value."""
    ranks = (rankdata(each.reshape(len(each), -1), axis=1) for each in (first, second))
    a, b = (each - each.mean(axis=1, keepdims=True) for each in ranks)
    lengths = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return float(((a * b).sum(axis=1) / np.where(lengths > 0, lengths, 1)).mean())
