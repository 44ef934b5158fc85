"""The parameters of the feed-forward laboratory: one block per study."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from plumbline.params.blocks import (
    Block,
    Count,
    NonNegative,
    Positive,
    PositiveInt,
    Probability,
    Share,
)
from plumbline.params.models import TrainerParams

Seeds = Annotated[int, Field(ge=2, strict=True)]
Depth = Annotated[int, Field(ge=2, strict=True)]  # hidden layers
Sizes = Annotated[tuple[PositiveInt, ...], Field(min_length=1)]


class ClaimsParams(Block):
    """The confidence of all verdicts of a laboratory together."""

    confidence: Share


class ControlParams(Block):
    """The control: networks of the chapter's size on Iris."""

    seeds: Seeds
    epochs: PositiveInt
    lr: Positive


class ActivationsParams(Block):
    """Activation functions: networks of one width, over depths and data sets.

    ``functions`` are trained from weights drawn for them, ``also_default`` from torch's own as
    well. Each learning rate of ``rates`` is tried with ``tuning_seeds`` seeds. ``thresholds`` are
    the validation accuracies by which speed is told.
    """

    seeds: Seeds
    data: Annotated[tuple[Literal["digits", "mnist_1d"], ...], Field(min_length=1)]
    functions: Annotated[tuple[str, ...], Field(min_length=1)]
    also_default: tuple[str, ...]
    depths: Annotated[tuple[Depth, ...], Field(min_length=1)]
    width: PositiveInt
    epochs: PositiveInt
    batch_size: PositiveInt
    train_rows: PositiveInt
    val_rows: PositiveInt
    test_rows: PositiveInt
    rates: Annotated[tuple[Positive, ...], Field(min_length=1)]
    tuning_seeds: PositiveInt
    thresholds: dict[str, Share]


class DepthParams(Block):
    """Deep networks of one width on MNIST-1D.

    Gradients at the start are measured at ``start_depths`` hidden layers, memory at
    ``checkpoint_depths``, degradation between ``degradation_depths``; all else is trained at
    ``depth``. ``width`` is a multiple of 4, the groups of group norm. ``pilots`` further seeds
    choose the learning rate of each optimiser from ``lr_grid``.
    """

    seeds: Seeds
    pilots: PositiveInt
    examples: PositiveInt
    width: Annotated[int, Field(ge=4, multiple_of=4, strict=True)]
    batch_size: PositiveInt
    epochs: PositiveInt
    lr: Positive
    start_depths: Annotated[tuple[Depth, ...], Field(min_length=1)]
    depth: Depth
    degradation_depths: Annotated[tuple[Depth, ...], Field(min_length=2)]
    clip_norm: Positive
    clip_value: Positive
    clipping_lr: Positive
    high_lr: Positive
    lr_grid: Annotated[tuple[Positive, ...], Field(min_length=1)]
    checkpoint_depths: Annotated[tuple[Depth, ...], Field(min_length=2)]


class ScratchParams(Block):
    """The network from scratch: gradients, Iris, three libraries, and the cost of both modes.

    ``few_seeds`` of the seeds serve where seeds differ in rounding at most: three libraries and
    counted operations. ``widths`` are those of the network whose parameters grow, ``outputs`` the
    numbers of outputs of one of ``output_width``.
    """

    seeds: Seeds
    few_seeds: PositiveInt
    checked_hidden: Sizes
    split_seed: Count
    test_fraction: Share
    hidden: PositiveInt
    lr: Positive
    epochs: PositiveInt
    curve_every: PositiveInt
    widths: Sizes
    output_width: PositiveInt
    outputs: Sizes
    trainer: TrainerParams


class BasicsParams(Block):
    """The basic network: approximation by width, layers by depth, exclusive or."""

    seeds: Seeds
    points: Annotated[int, Field(ge=16, strict=True)]
    widths: Sizes
    steps: PositiveInt
    lr: Positive
    depths: Sizes
    layer_width: PositiveInt
    logic_epochs: PositiveInt


class TechniqueParams(Block):
    """One way to train the network of the study of overfitting.

    ``l1`` and ``l2`` weigh the sums of absolute and squared weights in the loss; ``noise`` is that
    of the inputs, ``shift`` the pixels by which a digit moves, ``mixup`` the parameter of the beta
    law of shares. With ``stop``, training ends early by a fifth of the rows, which are not trained
    on. ``members`` networks are one ensemble, and the share ``prune`` of weights is set to zero.
    """

    rows: PositiveInt
    width: PositiveInt
    layers: PositiveInt
    residual: bool
    norm: Literal["none", "batch", "layer"]
    dropout: Probability
    drop_connect: Probability
    l1: NonNegative
    l2: NonNegative
    noise: NonNegative
    smoothing: Probability
    shift: Annotated[int, Field(ge=0, strict=True)]
    mixup: NonNegative
    schedule: Literal["constant", "step", "exponential", "cosine"]
    stop: bool
    members: PositiveInt
    prune: Probability


class OverfittingParams(Block):
    """Techniques against overfitting: what each changes of ``base``.

    Techniques of ``left_out`` do not fit a data set. Those of ``curves`` are measured after every
    epoch, on ``val_rows`` further rows.
    """

    seeds: Seeds
    data: Annotated[tuple[Literal["digits", "diabetes"], ...], Field(min_length=1)]
    test_rows: dict[str, PositiveInt]
    epochs: PositiveInt
    batch_size: PositiveInt
    lr: Positive
    patience: PositiveInt
    base: TechniqueParams
    techniques: dict[str, dict[str, bool | int | float | str]]
    left_out: dict[str, tuple[str, ...]]
    curves: tuple[str, ...]
    val_rows: PositiveInt

    @model_validator(mode="after")
    def _changes_are_of_the_base(self) -> OverfittingParams:
        for name, changes in self.techniques.items():
            try:
                TechniqueParams.model_validate({**self.base.model_dump(), **changes})
            except ValueError as error:
                raise ValueError(f"techniques.{name}: {error}") from error
        return self


class RowNumbers(Block):
    """How many rows of a data set are held for test and validation, and how many are trained on."""

    test_rows: PositiveInt
    val_rows: PositiveInt
    examples: Annotated[tuple[Annotated[int, Field(ge=10, strict=True)], ...], Field(min_length=1)]


class ClassicalVsDeepParams(Block):
    """Classical models and networks over the number of training rows.

    ``adult`` is the path of UCI Adult's ``adult.data``; without it the rows of ``adult`` are left
    out. Forests have ``trees``, boosting ``rounds``; networks have ``hidden`` widths, the
    convolutional one two blocks of ``channels`` and the last of these widths, and train for at most
    ``updates`` steps. ``tuning_seeds`` further seeds choose the setting of each model on validation
    rows, of networks a learning rate of ``rates``. Models of data sets are ``explained`` with so
    many training rows, by ``repeats`` permutations of each column, and ``nodes`` of the quadrature
    of integrated gradients.
    """

    seeds: Seeds
    tuning_seeds: PositiveInt
    adult: str | None
    data: dict[Literal["digits", "diabetes", "breast_cancer", "adult"], RowNumbers]
    trees: PositiveInt
    rounds: PositiveInt
    hidden: Sizes
    activation: str
    channels: Annotated[tuple[PositiveInt, ...], Field(min_length=2, max_length=2)]
    rates: Annotated[tuple[Positive, ...], Field(min_length=1)]
    updates: PositiveInt
    batch_size: PositiveInt
    explained: dict[Literal["diabetes", "breast_cancer"], PositiveInt]
    repeats: PositiveInt
    nodes: PositiveInt

    @model_validator(mode="after")
    def _explained_models_are_measured(self) -> ClassicalVsDeepParams:
        for name, rows in self.explained.items():
            known = self.data[name].examples if name in self.data else ()
            if rows not in known:
                raise ValueError(f"explained.{name}: rows must be one of {known}, got {rows}")
        return self


class FeedforwardStudy(Block):
    """All of ``studies/feedforward/params.yaml``."""

    claims: ClaimsParams
    activations: ActivationsParams
    control: ControlParams
    depth: DepthParams
    scratch: ScratchParams
    basics: BasicsParams
    overfitting: OverfittingParams
    classical_vs_deep: ClassicalVsDeepParams
