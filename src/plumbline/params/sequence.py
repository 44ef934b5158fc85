"""The parameters of the sequence laboratory: one block per study."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from plumbline.params.blocks import Block, Positive, PositiveInt, Share
from plumbline.params.feedforward import ClaimsParams, Seeds, Sizes


class MemoryParams(Block):
    """Adding and copy task: networks of one width, trained at each of ``lengths``.

    ``width`` is a multiple of 4, the heads of the transformer. Every ``check_every`` updates the
    networks predict ``test_sequences``; they solve a task once they avoid the share ``solved`` of
    the baseline's error. ``pilots`` further seeds choose the learning rate of each network of
    ``rates`` at ``pilot_length``. Of the gradient before training, every ``gradient_every``-th
    step is kept.
    """

    seeds: Seeds
    lengths: Sizes
    width: Annotated[int, Field(ge=4, multiple_of=4, strict=True)]
    updates: PositiveInt
    batch_size: PositiveInt
    rates: Annotated[tuple[Positive, ...], Field(min_length=1)]
    pilots: PositiveInt
    pilot_length: PositiveInt
    clip_norm: Positive
    check_every: PositiveInt
    test_sequences: PositiveInt
    solved: Share
    gradient_every: PositiveInt


class SequenceStudy(Block):
    """All of ``studies/sequence/params.yaml``."""

    claims: ClaimsParams
    memory: MemoryParams
