"""The parameters of every stage: one frozen model per block of ``params.yaml``.

There are no defaults here: ``params.yaml`` is the only place that holds a value.
All faults of the file are reported together, unknown keys among them, before any
data are read.
"""

from __future__ import annotations

import codecs
import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from plumbline.errors import ParamsError

PositiveInt = Annotated[int, Field(ge=1, strict=True)]
Count = Annotated[int, Field(ge=0, strict=True)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Probability = Annotated[float, Field(ge=0, lt=1)]


def _quoted_day(value: Any) -> Any:
    if isinstance(value, datetime.date):
        raise ValueError(f"must stand in quotes, got {value}; DVC reads no bare date")
    return value


Day = Annotated[datetime.date, BeforeValidator(_quoted_day)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Block(BaseModel):
    """A block of ``params.yaml``: frozen, and unknown keys are faults."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TrainerParams(Block):
    """Arguments of the Lightning Trainer, the number of torch threads, what is kept of steps."""

    accelerator: Literal["cpu", "gpu", "auto"]
    devices: PositiveInt | Literal["auto"]
    num_nodes: PositiveInt
    strategy: Annotated[str, Field(min_length=1)]
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "64-true", "bf16-true"]
    deterministic: bool
    threads: PositiveInt
    checkpoint_seconds: NonNegative
    trace: bool

    @field_validator("strategy")
    @classmethod
    def _starts_the_script_again(cls, value: str) -> str:
        if any(word in value for word in ("spawn", "fork", "notebook")):
            raise ValueError(f"must start processes with the stage's own command, got {value!r}")
        return value


class Optimisation(Block):
    """How a supervised network is optimised; 0 switches clipping and smoothing off.

    ``beta2`` is Adam's memory of squared gradients; SGD has none. Lightning's clipping is by norm.
    An update is made from the gradients of ``accumulate`` batches.
    """

    optimizer: Literal["sgd", "adam", "adamw"]
    lr: Positive
    beta2: Probability
    weight_decay: NonNegative
    batch_size: PositiveInt
    accumulate: PositiveInt
    max_epochs: PositiveInt
    patience: PositiveInt
    schedule: Literal["constant", "cosine"]
    warmup_fraction: Probability
    gradient_clip: NonNegative
    label_smoothing: Probability


class SplitParams(Block):
    """Shares of the validation and test splits."""

    val_fraction: Share
    test_fraction: Share

    @model_validator(mode="after")
    def _leave_training_data(self) -> SplitParams:
        if self.val_fraction + self.test_fraction >= 1:
            raise ValueError(
                f"val_fraction + test_fraction must be < 1, got "
                f"{self.val_fraction + self.test_fraction:g}"
            )
        return self


class Degradation(Block):
    """How the measurements of a group become worse; 0 switches a kind off."""

    blur: NonNegative
    noise: NonNegative


GroupRates = dict[str, dict[str, Annotated[float, Field(ge=0, le=1)]]]


class PlantedParams(SplitParams):
    """Splits, and bias planted in the training split by attribute and group; empty for none."""

    resample: GroupRates
    label_noise: GroupRates
    degrade: dict[str, dict[str, Degradation]]


class About(Block):
    """What the owner of data says about them; the cards quote it."""

    title: Annotated[str, Field(min_length=1)]
    description: Annotated[str, Field(min_length=1)]
    licence: Annotated[str, Field(min_length=1)]
    citation: Annotated[str, Field(min_length=1)]
    address: Annotated[str, Field(min_length=1)]
    not_known: Annotated[str, Field(min_length=1)]


class OwnFile(Block):
    """A file or folder of one's own with the digest of the bytes that are meant."""

    path: Annotated[str, Field(min_length=1)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    encoding: Annotated[str, Field(min_length=1)]
    about: About

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            codecs.lookup(value)
        except LookupError as error:
            raise ValueError(f"must be an encoding that Python knows, got {value!r}") from error
        return value


class CsvSource(OwnFile):
    """A CSV or Parquet file and what its columns are."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)]
    missing_values: tuple[str, ...]
    target: str
    positive: str | None
    types: dict[str, Literal["numeric", "categorical", "date"]]
    features: Literal["all"] | tuple[str, ...]
    attributes: dict[str, tuple[float, ...]]
    weight: str | None
    entity: str | None

    @field_validator("attributes")
    @classmethod
    def _bounds_rise(cls, value: dict[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
        for name, bounds in value.items():
            if list(bounds) != sorted(set(bounds)):
                raise ValueError(f"bounds of {name!r} must rise, got {list(bounds)}")
        return value


class TableEncoding(Block):
    """How the columns of every table but the built-in three become numbers."""

    missing_numbers: Literal["median", "mean", "refuse"]
    missing_categories: Literal["own", "most_frequent", "refuse"]
    missing_target: Literal["refuse", "drop"]
    max_categories: PositiveInt
    number_thresholds: Count
    min_group_rows: PositiveInt


class TabularData(PlantedParams):
    """The table of the feed-forward network."""

    source: Literal[
        "diabetes", "iris", "breast_cancer", "adult", "german_credit", "compas", "credit_default",
        "csv",
    ]  # fmt: skip
    target: Literal["above_median", "value", "label"]
    attributes_as_features: bool
    encoding: TableEncoding
    csv: CsvSource | None

    @model_validator(mode="after")
    def _csv_is_described(self) -> TabularData:
        if self.source == "csv" and self.csv is None:
            raise ValueError("csv must describe the file when source is csv, got nothing")
        return self


class TextFile(OwnFile):
    """Text of one's own: documents in one file or a folder, with an attribute or none."""

    format: Literal["plain", "folder", "jsonl", "csv"]
    separator: Annotated[str, Field(min_length=1)]
    text: Annotated[str, Field(min_length=1)]
    attribute: str | None

    @model_validator(mode="after")
    def _plain_text_has_no_attribute(self) -> TextFile:
        if self.format == "plain" and self.attribute is not None:
            raise ValueError(f"attribute must be null for plain text, got {self.attribute!r}")
        if self.attribute in ("sample_id", "split", "text"):
            raise ValueError(f"attribute must not be named {self.attribute!r}; rename it")
        return self


class TextData(SplitParams):
    """The text of the character models."""

    source: Literal["sklearn_docs", "tinyshakespeare", "file"]
    min_document_characters: PositiveInt
    max_characters: PositiveInt
    min_character_count: PositiveInt
    file: TextFile | None

    @model_validator(mode="after")
    def _file_is_described(self) -> TextData:
        if self.source == "file" and self.file is None:
            raise ValueError("file must describe the text when source is file, got nothing")
        return self


class FolderColumns(Block):
    """Columns of the table that describes a folder's images."""

    path: Annotated[str, Field(min_length=1)]
    label: Annotated[str, Field(min_length=1)]
    attributes: tuple[str, ...]
    entity: str | None
    split: str | None


class FolderImages(OwnFile):
    """A folder of images of one's own; the encoding is that of its table."""

    table: str | None
    columns: FolderColumns
    measured: Annotated[
        tuple[Literal["thickness", "slant", "brightness"], ...], Field(min_length=1)
    ]
    mode: Literal["grey", "rgb"]
    fit: Literal["crop", "pad", "stretch"]
    max_pixels: PositiveInt
    broken: Literal["refuse", "skip"]


class CelebaImages(Block):
    """Which of CelebA's attributes is the label, and which are groups."""

    target: Annotated[str, Field(min_length=1)]
    attributes: tuple[str, ...]


class ImageData(PlantedParams):
    """The images of the classifiers and the generator."""

    source: Literal["digits", "mnist", "mnist_t10k", "fashion_mnist", "cifar10", "celeba", "folder"]
    sizes: Annotated[tuple[Annotated[int, Field(ge=8, le=512)], ...], Field(min_length=1)]
    labels_per_class: PositiveInt
    max_images: PositiveInt | None
    workers: PositiveInt
    celeba: CelebaImages | None
    folder: FolderImages | None

    @model_validator(mode="after")
    def _source_is_described(self) -> ImageData:
        if self.source in ("celeba", "folder") and getattr(self, self.source) is None:
            raise ValueError(
                f"{self.source} must describe the images when source is {self.source}, got nothing"
            )
        return self


class GlyphData(SplitParams):
    """Printed characters, the pretraining source."""

    source: Literal["matplotlib_fonts"]
    size: Annotated[int, Field(ge=8, le=512)]
    per_class: PositiveInt


class SvmParams(Block):
    """Up to how many rows a kernel machine is exact, and the landmarks of its kernel above.

    Parts of the rows are fitted as well (Platt's sigmoid), and they must hold the landmarks.
    """

    max_rows: PositiveInt
    landmarks: PositiveInt

    @model_validator(mode="after")
    def _landmarks_are_few(self) -> SvmParams:
        if 2 * self.landmarks > self.max_rows:
            raise ValueError(
                f"landmarks must be <= half of max_rows ({self.max_rows}), got {self.landmarks}"
            )
        return self


class BaselineParams(Block):
    """Classical models on the same splits as the networks."""

    tabular: Annotated[
        tuple[
            Literal["logistic_regression", "decision_tree", "svm", "gradient_boosting"],
            ...,
        ],
        Field(min_length=1),
    ]
    svm: SvmParams
    ngram_order: Annotated[int, Field(ge=1, le=8)]


class CrossValidationParams(Block):
    """How the training and validation rows of the table are divided into folds."""

    kind: Literal["k_fold", "stratified", "grouped", "forward_chaining"]
    folds: Annotated[int, Field(ge=2, strict=True)]
    group: Annotated[str, Field(min_length=1)] | None
    order: Annotated[str, Field(min_length=1)] | None
    confidence: Share

    @model_validator(mode="after")
    def _has_the_column_of_its_kind(self) -> CrossValidationParams:
        for knob, kind in (("group", "grouped"), ("order", "forward_chaining")):
            value = getattr(self, knob)
            if (value is not None) != (self.kind == kind):
                rule = "a column" if self.kind == kind else "null"
                raise ValueError(f"{knob} must be {rule} with kind {self.kind}, got {value!r}")
        return self


class FnnParams(Block):
    """The feed-forward network."""

    hidden: tuple[PositiveInt, ...]
    activation: Literal[
        "sigmoid", "tanh", "relu", "leaky_relu", "prelu", "rrelu", "elu", "silu", "gelu",
        "gelu_tanh", "identity",
    ]  # fmt: skip
    dropout: Probability
    norm: Literal["none", "batch", "layer"]
    init: Literal["default", "he_normal", "he_uniform", "xavier_normal", "xavier_uniform"]
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
    """The convolutional classifier whose features judge the generator."""

    image_size: PositiveInt
    channels: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    feature_dim: PositiveInt
    dropout: Probability
    optimisation: Optimisation


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


class Augmentation(Block):
    """Random changes of a training image; 0 or false switches a kind off."""

    shift: NonNegative
    rotate: Annotated[float, Field(ge=0, le=180)]
    scale: Probability
    mirror: bool


MemoryFormat = Literal["contiguous", "channels_last"]


class PretrainParams(Block):
    """The backbone pretrained on printed characters."""

    backbone: Annotated[str, Field(min_length=1)]
    memory_format: MemoryFormat
    augmentation: Augmentation
    optimisation: Optimisation


class FinetuneParams(Block):
    """Fine-tuning a timm backbone with few labels."""

    backbone: Annotated[str, Field(min_length=1)]
    memory_format: MemoryFormat
    image_size: PositiveInt
    head_dropout: Probability
    augmentation: Augmentation
    probe_views: PositiveInt
    backbone_lr_scale: Positive
    optimisation: Optimisation


class TextSample(Block):
    """How text is sampled from the character model."""

    characters: PositiveInt
    temperatures: Annotated[tuple[Positive, ...], Field(min_length=1)]
    top_k: Count
    prompt: Annotated[str, Field(min_length=1)]


class EvaluateParams(Block):
    """How predictions are measured."""

    confidence: Share
    bootstrap_replicates: PositiveInt
    calibration_bins: PositiveInt
    block_characters: PositiveInt
    generated_samples: PositiveInt
    nearest_neighbours: PositiveInt
    generative_splits: Annotated[int, Field(ge=2, strict=True)]
    text_sample: TextSample

    def measuring(self) -> dict[str, Any]:
        """Return the options of `plumbline.metrics.summary.predictions_to_metrics`."""
        return {
            "confidence": self.confidence,
            "replicates": self.bootstrap_replicates,
            "bins": self.calibration_bins,
            "neighbours": self.nearest_neighbours,
            "splits": self.generative_splits,
        }


class AuditParams(Block):
    """How groups are compared."""

    confidence: Share
    max_order: Annotated[int, Field(ge=1, le=3)]
    min_group_size: PositiveInt
    min_group_share: Probability
    bootstrap_replicates: PositiveInt

    def of_groups(self) -> dict[str, Any]:
        """Return the options of `plumbline.mitigation.outcome.Measuring`."""
        return {
            "confidence": self.confidence,
            "min_group_size": self.min_group_size,
            "min_group_share": self.min_group_share,
            "replicates": self.bootstrap_replicates,
        }


class IndividualParams(Block):
    """How single decisions are looked at."""

    neighbours: PositiveInt
    confidence: Share
    bootstrap_replicates: PositiveInt


class Likeness(Block):
    """From when on two samples count as nearly the same."""

    table_distance: NonNegative
    image_distance: NonNegative
    text_overlap: Annotated[float, Field(gt=0, le=1)]


class DataAuditParams(Block):
    """How a prepared data set is audited before any model.

    ``reference``: shares of a population, by data set, attribute and group.
    """

    confidence: Share
    max_order: Annotated[int, Field(ge=1, le=3)]
    min_group_size: PositiveInt
    min_group_share: Probability
    reference: dict[
        Literal["tabular", "text", "images", "glyphs"],
        dict[str, dict[str, Annotated[float, Field(ge=0, le=1)]]],
    ]
    near_duplicate: Likeness
    max_leaked_share: Annotated[float, Field(ge=0, le=1)]
    neighbours: PositiveInt
    folds: Annotated[int, Field(ge=2, strict=True)]
    max_rows: Annotated[int, Field(ge=100, strict=True)]


class CardParams(Block):
    """What the owner says about every model."""

    owner: Annotated[str, Field(min_length=1)]
    contact: Annotated[str, Field(min_length=1)]
    licence: Annotated[str, Field(min_length=1)]


class ReportParams(Block):
    """The report page."""

    title: Annotated[str, Field(min_length=1)]


class StandardsParams(Block):
    """Which attributes laws speak of, where the data have them, and what an unknown value is."""

    sex: Annotated[str, Field(min_length=1)]
    race: Annotated[str, Field(min_length=1)]
    unknown: tuple[str, ...]


class NetworkStrengths(Block):
    """How hard the methods pull on a network: first the setting, then what else a curve shows."""

    regulariser: Annotated[tuple[NonNegative, ...], Field(min_length=1)]
    group_dro: Annotated[tuple[NonNegative, ...], Field(min_length=1)]
    adversarial: Annotated[tuple[NonNegative, ...], Field(min_length=1)]
    group_thresholds: Annotated[tuple[NonNegative, ...], Field(min_length=1)]


class RegressionStrengths(NetworkStrengths):
    """How hard the methods pull on a logistic regression."""

    constraint: Annotated[tuple[Share, ...], Field(min_length=1)]


class MitigateParams(Block):
    """The methods of mitigation, and how hard they pull."""

    attribute: Annotated[str, Field(min_length=1)]
    rounds: PositiveInt
    adversary_lr: Positive
    logistic_regression: RegressionStrengths
    fnn: NetworkStrengths

    def strengths(self, model: str, method: str) -> tuple[float, ...]:
        """Return a method's strengths, its setting first; one without meaning if it has no knob."""
        found: tuple[float, ...] = getattr(getattr(self, model), method, (1.0,))
        return found


class BalanceParams(Block):
    """A group of the training images that is thinned, and filled up again in two ways."""

    attribute: Annotated[str, Field(min_length=1)]
    group: Annotated[str, Field(min_length=1)]
    share: Share
    gan_steps: PositiveInt
    draws_per_row: PositiveInt


class HiringParams(Block):
    """The hiring tool of the dilemma."""

    overall_accuracy: Annotated[float, Field(gt=0.5, lt=1)]
    minority_accuracy: Annotated[float, Field(gt=0.5, lt=1)]
    minority_share: Share
    qualified_share: Share
    candidates: PositiveInt


class DilemmaParams(Block):
    """What cannot be had together."""

    hiring: HiringParams
    confidence: Share
    bootstrap_replicates: PositiveInt


class GapAddress(Block):
    """Which gap of an audit a rule is about."""

    attribute: str
    metric: str
    comparison: Literal["difference", "ratio"]


class QuantityAddress(Block):
    """Which number of another model a rule's number is held against."""

    model: str
    quantity: str


class GateVerdicts(Block):
    """What a rule about a gap makes of the audit's verdict, whatever the bounds say."""

    difference: Literal["pass", "fail"]
    insufficient: Literal["pass", "fail"]


class GateWaiver(Block):
    """Who lets a missed rule pass, why, and through which day."""

    who: Annotated[str, Field(min_length=1)]
    why: Annotated[str, Field(min_length=1)]
    until: Day


class GateRule(Block):
    """A threshold with its source and rationale; with ``less``, on a difference of two models.

    ``owner`` has to look at the rule again by ``expires``, through which day it holds.
    """

    model: str
    quantity: str | None = None
    gap: GapAddress | None = None
    less: QuantityAddress | None = None
    min: float | None = None
    max: float | None = None
    interval: bool = False
    verdicts: GateVerdicts | None = None
    source: Literal["legal", "guideline", "engineering"]
    owner: Annotated[str, Field(min_length=1)]
    rationale: Annotated[str, Field(min_length=1)]
    expires: Day | None
    waiver: GateWaiver | None = None

    @model_validator(mode="after")
    def _has_a_bound(self) -> GateRule:
        refuses = self.verdicts and "fail" in (self.verdicts.difference, self.verdicts.insufficient)
        if self.min is None and self.max is None and not refuses:
            raise ValueError("a rule must have min or max, got neither")
        return self

    @model_validator(mode="after")
    def _has_one_subject(self) -> GateRule:
        if (self.quantity is None) == (self.gap is None):
            got = "neither" if self.gap is None else "both"
            raise ValueError(f"a rule must have either a quantity or a gap, got {got}")
        if self.less and (self.gap or self.interval):
            raise ValueError("less must stand with a quantity and without interval, got another")
        if (self.verdicts is None) != (self.gap is None):
            got = "a gap without them" if self.verdicts is None else "a quantity"
            raise ValueError(f"verdicts must stand with a gap, got {got}")
        return self


class GateParams(Block):
    """The policy that a merge must keep."""

    rules: tuple[GateRule, ...]


class Params(Block):
    """All of ``params.yaml``."""

    seed: Annotated[int, Field(ge=0, lt=2**32, strict=True)]
    trainer: TrainerParams
    data_tabular: TabularData
    data_text: TextData
    data_images: ImageData
    data_glyphs: GlyphData
    baseline: BaselineParams
    cross_validation: CrossValidationParams
    train_fnn: FnnParams
    train_rnn: RnnParams
    train_cnn: CnnParams
    train_gan: GanParams
    pretrain: PretrainParams
    finetune: FinetuneParams
    evaluate: EvaluateParams
    data_audit: DataAuditParams
    audit: AuditParams
    individual: IndividualParams
    card: CardParams
    standards: StandardsParams
    mitigate: MitigateParams
    balance_images: BalanceParams
    dilemma: DilemmaParams
    report: ReportParams
    gate: GateParams

    @model_validator(mode="after")
    def _tables_can_be_audited(self) -> Params:
        table = self.data_tabular
        if table.source == "csv" and table.csv is not None and not table.csv.attributes:
            raise ValueError("data_tabular.csv.attributes must name a column to audit by, got none")
        return self

    @model_validator(mode="after")
    def _image_sizes_are_prepared(self) -> Params:
        wanted = {
            "train_cnn": self.train_cnn.image_size,
            "train_gan": self.train_gan.image_size,
            "finetune": self.finetune.image_size,
        }
        missing = [k for k, size in wanted.items() if size not in self.data_images.sizes]
        if missing:
            raise ValueError(
                f"{', '.join(f'{k}.image_size' for k in missing)} must be one of "
                f"data_images.sizes {list(self.data_images.sizes)}"
            )
        if self.train_cnn.image_size != self.train_gan.image_size:
            raise ValueError(
                f"train_cnn.image_size must be train_gan.image_size "
                f"({self.train_gan.image_size}), got {self.train_cnn.image_size}; "
                "the classifier judges the generator's images"
            )
        return self


def load(path: Path | str = "params.yaml") -> Params:
    """Read and check every parameter.

    Raises
    ------
    ParamsError
        If the file is missing, is no YAML mapping, or breaks any rule; the message
        holds one line per fault.
    """
    path = Path(path)
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ParamsError(f"{path.name}: file must exist, got none at {path}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        detail = " ".join(str(error).split())
        raise ParamsError(f"{path.name}: content must be YAML, got: {detail}") from error
    return check(raw, where=path.name)


def check(raw: Any, *, where: str = "params.yaml") -> Params:
    """Check parsed parameters; see `load`."""
    if not isinstance(raw, dict):
        raise ParamsError(f"{where}: content must be a mapping, got {type(raw).__name__}")
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        faults = [_fault(dict(item), where) for item in error.errors()]
        raise ParamsError("\n".join(dict.fromkeys(faults))) from error


def block_dict(params: Params, names: Iterable[str]) -> dict[str, Any]:
    """Return the named blocks as plain JSON values, in the given order."""
    dumped = params.model_dump(mode="json")
    return {name: dumped[name] for name in names}


_TYPES = {
    "int_type": "an int", "int_from_float": "an int", "int_parsing": "an int",
    "float_type": "a number", "float_parsing": "a number", "bool_type": "true or false",
    "bool_parsing": "true or false", "string_type": "a string", "tuple_type": "a list",
    "finite_number": "a finite number",
    **dict.fromkeys(("date_type", "date_parsing", "date_from_datetime_parsing",
                     "date_from_datetime_inexact"), "a date like 2030-12-31"),
}  # fmt: skip
_SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


def _fault(item: dict[str, Any], where: str) -> str:
    kind, context, got = item["type"], item.get("ctx", {}), item["input"]
    place = ".".join(str(part) for part in item["loc"])
    head = f"{where}: {place}" if place else f"{where}:"
    if kind == "extra_forbidden":
        return f"{head} must not be there, got {got!r}; unknown key, see params.yaml for the known"
    if kind == "missing":
        return f"{head} must be given, got nothing"
    if kind == "value_error":
        return f"{head}{':' if place else ''} {context['error']}"
    if kind in _TYPES:
        rule = _TYPES[kind]
    elif kind == "literal_error":
        rule = f"one of {context['expected']}"
    elif kind in ("too_short", "string_too_short"):
        rule = "not empty"
    else:
        rule = " and ".join(f"{_SIGNS[k]} {v:g}" for k, v in context.items() if k in _SIGNS)
        rule = rule or item["msg"]
    return f"{head} must be {rule}, got {got!r}"
