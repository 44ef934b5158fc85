"""Techniques against overfitting, and those of fine-tuning."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from plumbline.params.blocks import Block, Count, NonNegative, Positive, PositiveInt, Probability


class Augmentation(Block):
    """Random changes of a training image; 0 or false switches a kind off."""

    shift: NonNegative
    rotate: Annotated[float, Field(ge=0, le=180)]
    scale: Probability
    mirror: bool


class Regularisation(Block):
    """Changes of training rows, and of the trained weights; 0 switches each off.

    ``input_noise`` is the standard deviation of normal noise, in those of each feature or channel.
    ``mixup`` is the parameter of the beta distribution of shares. ``prune`` is the share of the
    weights of each layer that are set to zero after training, and ``prune_epochs`` are further ones
    of training, in which they stay zero.
    """

    input_noise: NonNegative
    mixup: NonNegative
    prune: Probability
    prune_epochs: Count

    @model_validator(mode="after")
    def _has_weights_to_train_without(self) -> Regularisation:
        if self.prune_epochs and not self.prune:
            raise ValueError(f"prune_epochs must be 0 with prune: 0, got {self.prune_epochs}")
        return self


class StrategyParams(Block):
    """Settings of strategies, each of which reads its own.

    ``stages``: partial. ``unfreeze_every``: progressive, in epochs. ``layer_decay``: the strategy
    of this name. ``rank``: adapters.
    """

    stages: PositiveInt
    unfreeze_every: PositiveInt
    layer_decay: Annotated[float, Field(gt=0, le=1)]
    rank: PositiveInt


class Distillation(Block):
    """A teacher's folder, the weight of its probabilities in the loss, and their temperature."""

    teacher: Annotated[str, Field(min_length=1)]
    weight: Annotated[float, Field(gt=0, le=1)]
    temperature: Positive


class Techniques(Block):
    """Changes of a fit of the backbone, not of a head on cached features; 0 or null for none.

    ``mixup`` and ``cutmix`` are the parameter of the beta distribution of shares. ``rand_augment``
    is timm's text, e.g. ``rand-m9-n2-mstd0.5``; it changes the images of a probe as well.
    """

    rand_augment: Annotated[str, Field(pattern=r"^rand(-(m|n|p|mstd|mmax|inc)[0-9.]+)*$")] | None
    mixup: NonNegative
    cutmix: NonNegative
    ema_decay: Probability
    distillation: Distillation | None

    @model_validator(mode="after")
    def _mixes_in_one_way(self) -> Techniques:
        if self.mixup and self.cutmix:
            raise ValueError(f"cutmix must be 0 with mixup {self.mixup:g}, got {self.cutmix:g}")
        return self
