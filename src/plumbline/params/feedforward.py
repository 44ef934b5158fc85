"""The parameters of the feed-forward laboratory: one block per study."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from plumbline.params.blocks import Block, Positive, PositiveInt, Share

Seeds = Annotated[int, Field(ge=2, strict=True)]


class ClaimsParams(Block):
    """The confidence of all verdicts of a laboratory together."""

    confidence: Share


class ControlParams(Block):
    """The control: networks of the chapter's size on Iris."""

    seeds: Seeds
    epochs: PositiveInt
    lr: Positive


class FeedforwardStudy(Block):
    """All of ``studies/feedforward/params.yaml``."""

    claims: ClaimsParams
    control: ControlParams
