"""Compress two networks, and measure what it does to digits: accuracy, groups, agreement, size.

A network is a body, which is compressed, and a linear head on its outputs.
"""

from __future__ import annotations

import functools
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from plumbline.models import backbones
from plumbline.studies.transfer import features, image_networks, onnx_models, pictures
from plumbline.studies.transfer.onnx_models import Floats, Model

if TYPE_CHECKING:
    from plumbline.params.transfer import CompressionParams
    from plumbline.studies.framework.rows import Progress

log = logging.getLogger(__name__)

LITE, SMALL = "efficientnet_lite0", "vgg"
PACKAGE = f"package:{LITE}"
_BATCH, _ANY = 100, ({0: torch.export.Dim("rows")},)
EAGER, KEPT, RETRAINED = "none", "kept", "retrained"
Row = dict[str, Any]


def run(options: CompressionParams, seed: int, progress: Progress) -> pd.DataFrame:
    """Return a row per network, compression, head and seed.

    Returns
    -------
    DataFrame
        ``network, compression, head`` (kept, or retrained on the outputs of the compressed body),
        ``seed``; of test rows ``accuracy``, ``gap`` (largest difference of the accuracies of two
        groups of an attribute) and ``agreement`` (share with the class that the original says);
        ``bytes`` of the body's file in ONNX (NaN without one), ``left`` (share of the weights that
        are not 0), and ``difference`` (smallest power of ten that no output's difference exceeds,
        in units of the largest output; 0 if there is none).
    """
    torch.set_num_threads(1)  # the order of sums must not depend on the machine
    seeds = [int(s) for s in np.random.SeedSequence(seed).generate_state(options.seeds)]
    steps = [(LITE, seeds)] if LITE in options.networks else []
    steps += [(SMALL, [own]) for own in seeds if SMALL in options.networks]
    rows: list[Row] = []
    for done, (name, own) in enumerate(steps, start=1):
        data = _digits(name, options, seed)
        rows += _Compressed(name, data, {s: seeds.index(s) for s in own}, options).rows()
        progress(done, len(steps), name)
    found = pd.DataFrame(rows)
    return found.assign(reason=found["bytes"].isna().map({True: "not a file of ONNX", False: None}))


@dataclass(frozen=True)
class Digits:
    """Inputs ``(N, C, H, H)`` in [-1, 1], targets, groups of the test rows, and numbers of rows."""

    inputs: Tensor
    targets: npt.NDArray[np.int64]
    groups: dict[str, npt.NDArray[np.str_]]
    pool: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]


def _digits(name: str, options: CompressionParams, seed: int) -> Digits:
    pixels, channels = (options.lite_pixels, 3) if name == LITE else (options.small_pixels, 1)
    found = pictures.load("digits", seed=seed)
    rest, test = found.split(options.test_share, seed=seed)
    pool = np.random.default_rng(seed).permutation(rest)[: options.pool_rows]
    test = test[: options.test_rows]
    inputs = features.as_input(torch.as_tensor(found.images), pixels)[:, :channels] / 127.5 - 1
    groups = {attribute: values[test] for attribute, values in found.groups.items()}
    return Digits(inputs.contiguous(), found.targets, groups, pool, test)


class _Compressed:
    """A body with the heads of some seeds, and what each compression makes of them."""

    def __init__(
        self, name: str, data: Digits, numbers: dict[int, int], options: CompressionParams
    ) -> None:
        self.name, self.data, self.options, self.numbers = name, data, options, numbers
        self.pool, self.test = data.inputs[data.pool], data.inputs[data.test]
        self.drawn = {
            seed: np.random.default_rng(seed).permutation(len(data.pool))[: options.train_rows]
            for seed in numbers
        }
        self.body = (self._pretrained() if name == LITE else self._trained(*numbers)).eval()
        self.original = _call(self.body, self.test)
        train = _call(self.body, self.pool)
        self.heads = {seed: self._head(train, seed) for seed in numbers}

    def rows(self) -> Iterator[Row]:
        """Yield the rows of each compression."""
        yield from self._row(EAGER, self.original)
        exported = torch.export.export(self.body, (self.test[:2],), dynamic_shapes=_ANY).module()
        yield from self._row("torch.export", _call(exported, self.test))
        for compression, change in self._compressions(self._model()).items():
            before = time.perf_counter()
            changed = change()
            pruned = compression.startswith("pruned")
            train = onnx_models.evaluate(changed, self.pool) if pruned else None
            outputs = onnx_models.evaluate(changed, self.test)
            for row in self._row(compression, outputs, train):
                own = {"left": onnx_models.left(changed)} if pruned else {}
                yield {**row, **own, "bytes": changed.ByteSize()}
            log.info("%s, %s: %.1f s", self.name, compression, time.perf_counter() - before)

    def _compressions(self, model: Model) -> dict[str, Callable[[], Model]]:
        """Return what makes each compressed model of ONNX."""
        kinds = sorted(set(onnx_models.weights(model).values()))
        parts = {"all": kinds, **({kind: [kind] for kind in kinds} if len(kinds) > 1 else {})}
        calibration = self.pool[: self.options.calibration_rows]
        tools, bound = onnx_models, functools.partial
        return {
            "onnx": lambda: model,
            **{f"pruned {share:.0%}": bound(tools.prune, model, share, by_layer=False)
               for share in self.options.pruned},
            **{f"pruned {share:.0%} by layer": bound(tools.prune, model, share, by_layer=True)
               for share in self.options.pruned_by_layer},
            **{f"weights per tensor, {part}":
               bound(tools.round_weights, model, of, per_channel=False)
               for part, of in parts.items()},
            "weights per channel, all": bound(tools.round_weights, model, kinds, per_channel=True),
            "static per tensor": bound(tools.quantise, model, calibration, per_channel=False),
            "static per channel": bound(tools.quantise, model, calibration, per_channel=True),
            "dynamic": bound(tools.quantise_dynamically, model),
        }  # fmt: skip

    def _row(self, compression: str, outputs: Floats, train: Floats | None = None) -> Iterator[Row]:
        """Yield a row per seed and head; with outputs of the pool, also of a retrained head."""
        data, original = self.data, self.original
        apart = float(np.abs(outputs - original).max() / np.abs(original).max())
        place = {
            "network": self.name, "compression": compression, "bytes": math.nan, "left": 1.0,
            "difference": 10.0 ** math.ceil(math.log10(apart)) if apart else 0.0,
        }  # fmt: skip
        for seed, number in self.numbers.items():
            before, heads = self.heads[seed].predict(original), {KEPT: self.heads[seed]}
            if train is not None:
                heads[RETRAINED] = self._head(train, seed)
            for head, model in heads.items():
                said = model.predict(outputs)
                right = pd.Series(said == data.targets[data.test], dtype=float)
                means = [right.groupby(values).mean() for values in data.groups.values()]
                yield {
                    **place, "head": head, "seed": number, "accuracy": float(right.mean()),
                    "gap": max(float(of.max() - of.min()) for of in means),
                    "agreement": float((said == before).mean()),
                }  # fmt: skip

    def _head(self, outputs: Floats, seed: int) -> Any:
        rows = self.drawn[seed]
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
        return model.fit(outputs[rows], self.data.targets[self.data.pool[rows]])

    def _pretrained(self) -> nn.Module:
        found, _ = backbones.load_pretrained(
            "package:efficientnet_lite0",
            outputs=10,
            image_size=self.options.lite_pixels,
            channels=3,
        )
        network: nn.Module = found.network
        found.network.reset_classifier(0)
        return network

    def _trained(self, seed: int) -> nn.Module:
        options, rows, side = self.options, self.drawn[seed], self.pool.shape[-1]
        network: Any = image_networks.build(SMALL, side, parameters=options.parameters, seed=seed)
        targets = torch.tensor(self.data.targets[self.data.pool[rows]])
        for _ in image_networks.fit(
            network, self.pool[rows], targets, epochs=options.epochs, lr=options.lr,
            batch_size=options.batch_size, seed=seed,
        ):  # fmt: skip
            pass
        return folded(network[:-1])

    def _model(self) -> Model:
        if self.name == LITE:
            return onnx_models.export(self.body, self.test)
        same = _exported(self.pool.shape[-1], self.options.parameters)
        return onnx_models.with_weights(same, self.body.state_dict())


def folded(network: nn.Sequential) -> nn.Sequential:
    """Return a network with every batch norm folded into the convolution before it."""
    layers: list[Any] = []
    for layer in network.eval():
        if isinstance(layer, nn.BatchNorm2d):
            layers[-1] = fuse_conv_bn_eval(layers[-1], layer)
        else:
            layers.append(layer)
    return nn.Sequential(*layers).eval()


@functools.cache
def _exported(side: int, parameters: int) -> Model:
    """Return the small network in ONNX: seeds change its weights alone, exporting takes long."""
    network: Any = image_networks.build(SMALL, side, parameters=parameters, seed=0)
    body, generator = folded(network[:-1]), torch.Generator().manual_seed(0)
    for value in body.parameters():  # no two may be equal, the exporter would make them one
        nn.init.normal_(value, generator=generator)
    return onnx_models.export(body, torch.zeros(2, 1, side, side))


@torch.no_grad()
def _call(body: Any, inputs: Tensor) -> Floats:
    found: Floats = torch.cat([body(part) for part in torch.split(inputs, _BATCH)]).numpy()
    return found
