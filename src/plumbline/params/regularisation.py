"""Techniques against overfitting that change training rows or trained weights."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from plumbline.params.blocks import Block, NonNegative, Probability


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
    weights of each layer that training ends by setting to zero.
    """

    input_noise: NonNegative
    mixup: NonNegative
    prune: Probability
