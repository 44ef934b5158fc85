"""Techniques against overfitting that change training rows or trained weights."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from plumbline.params.blocks import Block, Count, NonNegative, Probability


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
