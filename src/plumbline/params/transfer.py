"""The parameters of the transfer and vision laboratory: one block per study."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from plumbline.params.blocks import Block, Positive, PositiveInt, Share
from plumbline.params.feedforward import ClaimsParams, Seeds

Characters = Literal["digits", "new_characters", "mnist", "omniglot"]
Photographs = Literal["clothing", "faces"]


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


class TransferStudy(Block):
    """All of ``studies/transfer/params.yaml``."""

    claims: ClaimsParams
    labels: LabelsParams
