"""The parameters of the transfer and vision laboratory: one block per study."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from plumbline.params.blocks import Block, Count, Positive, PositiveInt, Share
from plumbline.params.feedforward import ClaimsParams, Seeds

Characters = Literal["digits", "new_characters", "mnist", "omniglot"]
Photographs = Literal["clothing", "faces"]
Corruption = Literal["noise", "blur", "jpeg", "shift", "contrast"]
NetworkName = Literal["fnn", "lenet", "vgg", "resnet", "separable", "vit"]
Amounts = Annotated[tuple[Count, ...], Field(min_length=1)]
Shares = Annotated[tuple[Share, ...], Field(min_length=1)]


class SmallNetworkParams(Block):
    """How the small network is pretrained on printed characters."""

    updates: PositiveInt
    rate: Positive
    batch_size: PositiveInt


class TuningParams(Block):
    """How networks are fine-tuned: the small one on ``data``, that of ImageNet on its own data.

    ``rates`` are the learning rates by strategy.
    """

    data: tuple[Characters, ...]
    updates: PositiveInt
    rates: dict[str, Positive]
    imagenet_data: tuple[Photographs, ...]
    imagenet_labels: PositiveInt
    imagenet_updates: PositiveInt
    imagenet_rate: Positive


class LabelsParams(Block):
    """Accuracy by labels per class.

    Data whose folder is null are left out; of each at most ``pictures`` are used. Those of ``ways``
    are few-shot tasks: ``episodes`` with so many classes, and at most ``episode_labels`` each.
    ImageNet's network sees pictures of ``image_size``; ``strength`` is the inverse weight of the
    probe's penalty.
    """

    seeds: Seeds
    labels: Annotated[tuple[PositiveInt | Literal["all"], ...], Field(min_length=1)]
    data: Annotated[tuple[Characters | Photographs, ...], Field(min_length=1)]
    folders: dict[str, str | None]
    pictures: PositiveInt
    ways: dict[str, PositiveInt]
    episodes: PositiveInt
    episode_labels: PositiveInt
    image_size: PositiveInt
    test_share: Share
    strength: Positive
    network: SmallNetworkParams
    tuning: TuningParams


class TextParams(Block):
    """Beginnings of docstrings, of ``length`` characters, and the 1-D convolution over them."""

    packages: Annotated[tuple[str, ...], Field(min_length=2)]
    length: PositiveInt
    rows: PositiveInt
    test_rows: PositiveInt
    channels: PositiveInt
    kernel: PositiveInt
    epochs: PositiveInt
    batch_size: PositiveInt
    lr: Positive


class ConvolutionsParams(Block):
    """Networks for pictures of ``pixels`` a side on a canvas with a margin on every side.

    The side of the canvas is a multiple of 4. All networks are trained for ``epochs``; those of
    ``networks`` also until they have taken as many ``operations`` (multiply-adds). ``changes`` are
    pixels, degrees and severities. ``mnist`` is the folder of MNIST's test pictures; without it
    digits take part alone.
    """

    seeds: Seeds
    mnist: str | None
    pixels: PositiveInt
    margin: PositiveInt
    train_rows: PositiveInt
    test_share: Share
    test_rows: PositiveInt
    parameters: PositiveInt
    epochs: PositiveInt
    operations: Positive
    batch_size: PositiveInt
    lr: Positive
    networks: Annotated[tuple[NetworkName, ...], Field(min_length=1)]
    shuffled: tuple[NetworkName, ...]
    changes: dict[Literal["shift", "rotation", "noise"], Amounts]
    text: TextParams


class CompressionParams(Block):
    """Compression of EfficientNet-Lite0 at ``lite_pixels`` a side, and of a small network.

    Seeds draw ``train_rows`` of ``pool_rows``: for the head, and for the small network, which is
    trained on them. ``pruned`` are shares of all weights, or of those of each layer.
    """

    seeds: Seeds
    networks: Annotated[tuple[Literal["efficientnet_lite0", "vgg"], ...], Field(min_length=1)]
    lite_pixels: PositiveInt
    small_pixels: PositiveInt
    pool_rows: PositiveInt
    train_rows: PositiveInt
    calibration_rows: PositiveInt
    test_share: Share
    test_rows: PositiveInt
    pruned: Shares
    pruned_by_layer: Shares
    parameters: PositiveInt
    epochs: PositiveInt
    batch_size: PositiveInt
    lr: Positive


class ExplanationsParams(Block):
    """Explanations: ``pictures`` of each seed are explained, curves have so many ``steps``."""

    seeds: Seeds
    test_share: Share
    epochs: PositiveInt
    rate: Positive
    pictures: PositiveInt
    nodes: PositiveInt
    steps: PositiveInt


class RobustnessParams(Block):
    """Robustness: the probe sees features of pictures of ``probe_size`` pixels.

    ``permutations`` are those of groups for the gap that chance makes; ``strength`` and
    ``iterations`` are C and the most iterations of logistic regression.
    """

    seeds: Seeds
    test_share: Share
    epochs: PositiveInt
    rate: Positive
    corruptions: tuple[Corruption, ...]
    permutations: PositiveInt
    strength: Positive
    iterations: PositiveInt
    probe_corruptions: tuple[Corruption, ...]
    probe_severities: tuple[PositiveInt, ...]
    probe_size: PositiveInt


class StrategiesParams(Block):
    """Strategies of fine-tuning: ``rates`` by strategy, and ``factors`` on each."""

    strategies: tuple[Literal["probe", "full", "partial", "lp_ft"], ...]
    updates: PositiveInt
    rates: dict[str, Positive]
    factors: Annotated[tuple[Positive, ...], Field(min_length=1)]


class ForgettingParams(Block):
    """What fine-tuning on digits costs.

    ``corruptions`` of one ``severity`` are the other distributions. Domains have at most
    ``pictures``. ImageNet's network is fine-tuned by ``imagenet_updates``, 0 for not at all.
    """

    seeds: Seeds
    labels: PositiveInt
    test_share: Share
    strength: Positive
    pictures: PositiveInt
    corruptions: tuple[Literal["noise", "blur", "jpeg", "shift", "contrast"], ...]
    severity: Annotated[int, Field(ge=1, le=5, strict=True)]
    network: SmallNetworkParams
    tuning: StrategiesParams
    imagenet_size: PositiveInt
    imagenet_updates: Count
    imagenet_rate: Positive


class TransferStudy(Block):
    """All of ``studies/transfer/params.yaml``."""

    claims: ClaimsParams
    forgetting: ForgettingParams
    labels: LabelsParams
    convolutions: ConvolutionsParams
    compression: CompressionParams
    explanations: ExplanationsParams
    robustness: RobustnessParams
