"""Blocks of what is fitted: the trainer, classical models, networks."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from plumbline.compat.kernels import Choice
from plumbline.params.blocks import Block, NonNegative, Positive, PositiveInt, Probability
from plumbline.params.classification import Classification
from plumbline.params.regularisation import (
    Augmentation,
    Regularisation,
    StrategyParams,
    Techniques,
)


class TrainerParams(Block):
    """Arguments of the Lightning Trainer, threads and kernels, what is kept of steps."""

    accelerator: Literal["cpu", "gpu", "auto"]
    devices: PositiveInt | Literal["auto"]
    num_nodes: PositiveInt
    strategy: Annotated[str, Field(min_length=1)]
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "64-true", "bf16-true"]
    deterministic: bool
    threads: PositiveInt
    kernels: Choice
    checkpoint_seconds: NonNegative
    trace: bool
    diagnostics: bool

    @field_validator("strategy")
    @classmethod
    def _is_one_whose_weights_are_kept(cls, value: str) -> str:
        if any(word in value for word in ("spawn", "fork", "notebook")):
            raise ValueError(f"must start processes with the stage's own command, got {value!r}")
        if value not in ("auto", "fsdp") and not value.startswith("ddp"):
            raise ValueError(f"must be auto, ddp, one of Lightning's ddp_…, or fsdp, got {value!r}")
        return value

    @model_validator(mode="after")
    def _sharding_has_its_limits(self) -> TrainerParams:
        if self.strategy == "fsdp" and self.precision in ("64-true", "16-mixed"):
            raise ValueError(
                "precision must be 32-true, bf16-mixed or bf16-true with strategy fsdp, got "
                f"{self.precision}"
            )
        for name in ("trace", "diagnostics"):
            if self.strategy == "fsdp" and getattr(self, name):
                raise ValueError(f"{name} must be false with strategy fsdp, got true")
        return self

    @model_validator(mode="after")
    def _portable_kernels_have_their_limits(self) -> TrainerParams:
        # oneDNN has no LSTM and no fast products in bfloat16 within AVX2.
        is_half = self.precision not in ("32-true", "64-true")
        if self.kernels == "portable" and is_half and self.accelerator != "gpu":
            raise ValueError(
                f"kernels must be native with precision {self.precision} on a processor, got "
                "portable"
            )
        return self


class OptimisationDefaults(Block):
    """Values that all networks share unless their own ``optimisation`` sets them.

    ``beta2`` is Adam's decay of squared gradients; SGD has none. Clipping is by norm. ``l1`` weighs
    the sum of the absolute weights in the loss; with a weight decay it makes an elastic net. 0
    switches clipping, smoothing and ``l1`` off. An update uses the gradients of ``accumulate``
    batches.
    """

    optimizer: Literal["sgd", "adam", "adamw"]
    beta2: Probability
    accumulate: PositiveInt
    schedule: Literal["constant", "cosine", "step", "exponential"]
    warmup_fraction: Probability
    gradient_clip: NonNegative
    label_smoothing: Probability
    l1: NonNegative


class Optimisation(OptimisationDefaults):
    """How a supervised network is optimised."""

    lr: Positive
    weight_decay: NonNegative
    batch_size: PositiveInt
    max_epochs: PositiveInt
    patience: PositiveInt


class SvmParams(Block):
    """Up to how many rows a kernel machine is exact, and the landmarks of its kernel above.

    Parts of the rows are fitted as well (Platt's sigmoid), and they must hold the landmarks. Of
    more rows than ``approximate_rows`` so many are drawn.
    """

    max_rows: PositiveInt
    landmarks: PositiveInt
    approximate_rows: PositiveInt

    @model_validator(mode="after")
    def _landmarks_are_few(self) -> SvmParams:
        if 2 * self.landmarks > self.max_rows:
            raise ValueError(
                f"landmarks must be <= half of max_rows ({self.max_rows}), got {self.landmarks}"
            )
        if self.approximate_rows < self.max_rows:
            raise ValueError(
                f"approximate_rows must be >= max_rows ({self.max_rows}), got "
                f"{self.approximate_rows}"
            )
        return self


class BaselineParams(Block):
    """Classical models on the same splits as the networks.

    Of more training rows than ``max_rows`` each model is fitted to so many.
    """

    tabular: Annotated[
        tuple[
            Literal["logistic_regression", "decision_tree", "svm", "gradient_boosting"],
            ...,
        ],
        Field(min_length=1),
    ]
    max_rows: Annotated[int, Field(ge=100, strict=True)]
    classification: Classification
    svm: SvmParams
    ngram_orders: Annotated[
        tuple[Annotated[int, Field(ge=1, le=32, strict=True)], ...], Field(min_length=1)
    ]


class FnnParams(Block):
    """The feed-forward network."""

    hidden: tuple[PositiveInt, ...]
    activation: Literal[
        "sigmoid", "tanh", "relu", "leaky_relu", "prelu", "rrelu", "elu", "silu", "gelu",
        "gelu_tanh", "identity",
    ]  # fmt: skip
    dropout: Probability
    drop_connect: Probability
    norm: Literal["none", "batch", "layer"]
    init: Literal["default", "he_normal", "he_uniform", "xavier_normal", "xavier_uniform"]
    regularisation: Regularisation
    classification: Classification
    optimisation: Optimisation


class RnnParams(Block):
    """The character-level recurrent network."""

    cell: Literal["rnn", "lstm", "gru"]
    embedding_dim: PositiveInt
    hidden_dim: PositiveInt
    layers: PositiveInt
    dropout: Probability
    tied: bool
    sequence_length: PositiveInt
    optimisation: Optimisation

    @model_validator(mode="after")
    def _tied_weights_share_a_shape(self) -> RnnParams:
        if self.tied and self.embedding_dim != self.hidden_dim:
            raise ValueError(
                f"embedding_dim must be hidden_dim ({self.hidden_dim}) when tied is true, "
                f"got {self.embedding_dim}"
            )
        return self


class CnnParams(Block):
    """The image classifier, whose features also measure the generator.

    ``architecture`` is ``convnet``, the network that ``channels`` and ``feature_dim`` describe, or
    ``timm:<name>`` for any network of timm, whose blocks have no dropout of channels or weights.
    """

    architecture: str
    image_size: PositiveInt
    channels: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    feature_dim: PositiveInt
    dropout: Probability
    spatial_dropout: Probability
    drop_connect: Probability
    augmentation: Augmentation
    regularisation: Regularisation
    classification: Classification
    optimisation: Optimisation

    @field_validator("architecture")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if not re.fullmatch("convnet|timm:.+", value):
            raise ValueError(f"must be convnet or timm:<name of a timm network>, got {value!r}")
        return value

    @model_validator(mode="after")
    def _dropout_is_of_the_convnet(self) -> CnnParams:
        for knob in ("spatial_dropout", "drop_connect"):
            if self.timm_name and (value := getattr(self, knob)):
                raise ValueError(f"{knob} must be 0 with a network of timm, got {value:g}")
        return self

    @property
    def timm_name(self) -> str:
        """The name of the timm network; empty for the convnet."""
        return self.architecture.partition("timm:")[2]


class GanParams(Block):
    """The conditional DCGAN."""

    image_size: PositiveInt
    latent_dim: PositiveInt
    base_channels: PositiveInt
    loss: Literal["non_saturating", "hinge"]
    spectral_norm: bool
    ema_decay: Probability
    batch_size: PositiveInt
    steps: PositiveInt
    discriminator_updates: PositiveInt
    lr_generator: Positive
    lr_discriminator: Positive
    beta1: Probability
    beta2: Probability
    log_every: PositiveInt

    @field_validator("image_size")
    @classmethod
    def _doubles_to_it(cls, value: int) -> int:
        if value < 8 or value & (value - 1):
            raise ValueError(
                f"must be 8, 16, 32 or a further power of two, got {value}; the generator doubles "
                "a map of 4×4"
            )
        return value


MemoryFormat = Literal["contiguous", "channels_last"]


class PretrainParams(Block):
    """The backbone pretrained on printed characters."""

    backbone: Annotated[str, Field(min_length=1)]
    memory_format: MemoryFormat
    augmentation: Augmentation
    optimisation: Optimisation


class FinetuneParams(Techniques):
    """Fine-tuning a timm backbone with few labels.

    ``backbone`` is a source of pretrained weights, see `plumbline.models.sources.find`.
    """

    backbone: Annotated[str, Field(min_length=1)]
    memory_format: MemoryFormat
    image_size: PositiveInt
    head_dropout: Probability
    augmentation: Augmentation
    probe_views: PositiveInt
    backbone_lr_scale: Positive
    strategies: StrategyParams
    classification: Classification
    optimisation: Optimisation

    @field_validator("backbone")
    @classmethod
    def _file_has_a_digest(cls, value: str) -> str:
        if value.startswith("file:") and not re.search("[?&]sha256=[0-9a-f]{64}(&|$)", value):
            raise ValueError(
                f"must be file:<path>?architecture=<timm name>&sha256=<digest>, got {value!r}"
            )
        return value


class ModelBlocks(Block):
    """The blocks of ``params.yaml`` that models are fitted with: one line for each."""

    baseline: BaselineParams
    optimisation: OptimisationDefaults
    train_fnn: FnnParams
    train_rnn: RnnParams
    train_cnn: CnnParams
    train_gan: GanParams
    pretrain: PretrainParams
    finetune: FinetuneParams
