"""Read classes from features, and pretrain and fine-tune the small network of the laboratory."""

from __future__ import annotations

import copy
import functools
import re
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from plumbline.models.cnn import ConvNet
from plumbline.models.layers import seeded_weights
from plumbline.studies.transfer.features import MIDDLE_MAP, POOLED

if TYPE_CHECKING:
    from plumbline.params.transfer import SmallNetworkParams
    from plumbline.studies.transfer.pictures import Pictures

SIDE = 16  # pixels that the small network sees: the scanned digits have 8
BATCH = 32
GLYPHS, ROTATION, RANDOM = "glyphs", "rotation", "random"
PROBE, FULL, PARTIAL, LP_FT = "probe", "full", "partial", "lp_ft"
FIRST_BLOCKS = re.compile(r"blocks\.[0-7]\.|network\.(conv_stem|bn1|blocks\.[0-4])\.")
_OF_TWO = 8  # layers in two blocks of the small network
_ITERATIONS = 300
_SINGULAR = 1e-12  # of the largest eigenvalue: no direction of the rows


class Readout(NamedTuple):
    """A linear classifier of features: ``weight`` is ``(K, D)``, ``bias`` ``(K,)``."""

    weight: Tensor
    bias: Tensor

    def accuracy(self, features: Tensor, targets: Tensor) -> float:
        """Return the share of rows ``(N, D)`` whose class has the highest score."""
        return float((functional.linear(features, *self).argmax(1) == targets).double().mean())


def nearest_mean(features: Tensor, targets: Tensor, classes: int) -> Readout:
    """Return the classifier by the nearest mean of a class: by angle around the mean of all rows.

    Wang et al., "SimpleShot" (2019), https://arxiv.org/abs/1911.04623: centring and a length of 1.
    """
    mean = features.mean(0)
    rows = functional.normalize(features - mean)
    means = torch.stack([rows[targets == code].mean(0) for code in range(classes)])
    weight = functional.normalize(means)
    return Readout(weight, -weight @ mean)


def probe(features: Tensor, targets: Tensor, *, strength: float, rotated: bool = True) -> Readout:
    """Return logistic regression on features ``(N, D)``.

    Centred features are divided by their root mean square. The penalised weights lie in the span of
    the rows, so a rotation into it (N numbers per row) changes no prediction; it takes a fraction
    of the time where N is less than D.

    Parameters
    ----------
    strength : float
        Inverse weight of the penalty, > 0: scikit-learn's ``C``.
    """
    from sklearn.linear_model import LogisticRegression

    mean = features.double().mean(0)
    centred = features.double() - mean
    scale = centred.square().mean().sqrt()
    rows, axes = (centred / scale).numpy(), None
    if rotated and len(rows) < rows.shape[1]:
        squares, left = np.linalg.eigh(rows @ rows.T)  # a tenth of the time of an SVD
        kept = squares > _SINGULAR * squares[-1]
        lengths = np.sqrt(squares[kept])
        rows, axes = left[:, kept] * lengths, (left[:, kept] / lengths).T @ rows
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "lbfgs failed to converge")
        model = LogisticRegression(C=strength, max_iter=_ITERATIONS).fit(rows, targets.numpy())
    coefficients, bias = model.coef_, torch.tensor(model.intercept_)
    weight = torch.tensor(coefficients if axes is None else coefficients @ axes) / scale
    if len(bias) == 1:  # of two classes: half of the difference each
        weight, bias = (torch.cat([-each, each]) / 2 for each in (weight, bias))
    return Readout(weight.float(), (bias - weight @ mean).float())


def small_network(classes: int, *, seed: int) -> ConvNet:
    """Return the small network with random weights: three blocks and a layer of features."""
    with seeded_weights(seed):
        network = ConvNet(
            image_size=SIDE, image_channels=1, channels=(16, 32, 64), feature_dim=128,
            outputs=classes, dropout=0.0, mean=(0.5,), scale=(0.5,),
        )  # fmt: skip
    fast: ConvNet = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return fast.eval()


def with_head(network: Any, classes: int, *, seed: int, readout: Readout | None = None) -> Any:
    """Return a copy with a new head: of random weights, or a readout of its features."""
    found = copy.deepcopy(network)
    with seeded_weights(seed):
        head = nn.Linear(network.head.in_features, classes)
    if readout is not None:
        head.load_state_dict(readout._asdict())
    place, name = (found, "head") if isinstance(found, ConvNet) else (found.network, "classifier")
    setattr(place, name, head)
    return found


@torch.no_grad()
def read_small(network: ConvNet, images: Tensor) -> dict[str, Tensor]:
    """Return features of pictures ``(N, C, 16, 16)``: the last layer, and maps of block 2."""
    middle = network.blocks[:_OF_TWO](network.scale_pixels(images))
    last = network.feature_layer(network.blocks[_OF_TWO:](middle).flatten(1)).relu()
    return {POOLED: last, MIDDLE_MAP: middle.flatten(1)}


class Fit(NamedTuple):
    """A network, its parameters that were trained, and the multiply-adds of this training."""

    network: Any
    trainable: int
    operations: float


def pretrain(
    glyphs: Pictures, how: SmallNetworkParams, *, seed: int, turns: bool = True
) -> dict[str, ConvNet]:
    """Return small networks: random, of glyph classes and, with turns, of their rotations.

    Gidaris et al., "Unsupervised Representation Learning by Predicting Image Rotations" (ICLR
    2018), https://arxiv.org/abs/1803.07728.
    """
    train = functools.partial(
        fit, updates=how.updates, rate=how.rate, batch_size=how.batch_size, seed=seed
    )
    images, targets = torch.as_tensor(glyphs.images), torch.as_tensor(glyphs.targets)
    start = small_network(len(glyphs.classes), seed=seed)
    found = {RANDOM: start, GLYPHS: train(start, images, targets).network}
    if turns:
        turned = torch.cat([images.rot90(turn, (2, 3)) for turn in range(4)])
        codes = torch.arange(4).repeat_interleave(len(images))
        begin = with_head(start, 4, seed=seed)
        found[ROTATION] = train(begin, turned, codes).network
    return found


def adapt(
    network: Any, strategy: str, images: Tensor, targets: Tensor, *, classes: int, rate: float,
    updates: int, strength: float, seed: int,
) -> Fit:  # fmt: skip
    """Return a network for the classes of few pictures, with a new head.

    Parameters
    ----------
    network : ConvNet or TimmClassifier
        Is not changed.
    strategy : {'probe', 'full', 'partial', 'lp_ft'}
        Train the head; everything; all but the first blocks; the head and then everything (Kumar et
        al., ICLR 2022, https://arxiv.org/abs/2202.10054). Batch norms learn statistics in *full*
        alone, and not in ImageNet's network: its momentum is too low for few updates, after which
        the weights would fit other statistics than those that predict.
    strength : float
        See `probe`.
    """
    readout, looked = None, 0.0
    if strategy in (PROBE, LP_FT):
        with torch.no_grad(), counted() as counter:
            features = network.features(images)
        readout, looked = probe(features, targets, strength=strength), multiply_adds(counter)
    start = with_head(network, classes, seed=seed, readout=readout)
    if readout is not None and strategy == PROBE:
        return Fit(start, readout.weight.numel() + readout.bias.numel(), looked)
    found = fit(
        start, images, targets, updates=updates, rate=rate, seed=seed,
        frozen=FIRST_BLOCKS if strategy == PARTIAL else None,
        statistics=strategy == FULL and isinstance(network, ConvNet),
    )  # fmt: skip
    return found._replace(operations=found.operations + looked)


def fit(
    network: Any, images: Tensor, targets: Tensor, *, updates: int, rate: float, seed: int,
    batch_size: int = BATCH, frozen: re.Pattern[str] | None = None, statistics: bool = True,
) -> Fit:  # fmt: skip
    """Train a copy of a network by AdamW with a cosine schedule.

    Parameters
    ----------
    images, targets : Tensor
        ``(N, C, H, W)`` in 0…255 and ``(N,)``.
    frozen : pattern, optional
        Parameters whose names match from the start keep their values.
    statistics : bool
        Whether batch norms use and learn the statistics of batches; else they keep theirs.
    """
    network = copy.deepcopy(network).train(statistics)
    for name, value in network.named_parameters():
        value.requires_grad_(frozen is None or not frozen.match(name))
    trained = [value for value in network.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    batches = _batches(len(targets), updates, batch_size, seed)

    def update(chosen: Tensor) -> None:
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(images[chosen]), targets[chosen])
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()

    with counted() as counter:  # of the first update: all are alike
        update(next(batches))
    for chosen in batches:
        update(chosen)
    trainable = sum(value.numel() for value in trained)
    return Fit(network.eval(), trainable, multiply_adds(counter) * updates)


def counted() -> FlopCounterMode:
    """Return a context that counts operations of convolutions and matrix products."""
    return FlopCounterMode(display=False)


def multiply_adds(counter: FlopCounterMode) -> float:
    """Return the multiply-adds that were counted."""
    return float(counter.get_total_flops()) / 2


def _batches(rows: int, updates: int, size: int, seed: int) -> Iterator[Tensor]:
    """Yield row numbers; all rows come before one comes again, in a new order."""
    rng, size = np.random.default_rng(seed), min(size, rows)
    order = torch.tensor([], dtype=torch.int64)
    for _ in range(updates):
        while len(order) < size:
            order = torch.cat([order, torch.tensor(rng.permutation(rows))])
        chosen, order = order[:size], order[size:]
        yield chosen


@torch.no_grad()
def accuracy(network: Any, images: Tensor, targets: Tensor) -> float:
    """Return the share of pictures that a network classifies correctly."""
    found = torch.cat([network(part).argmax(1) for part in torch.split(images, 512)])
    return float((found == targets).double().mean())
