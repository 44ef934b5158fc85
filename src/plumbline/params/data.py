"""Blocks of the data sets: sources, splits, encodings, injected bias."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from plumbline import names
from plumbline.params.blocks import Block, Count, NonNegative, PositiveInt, Share
from plumbline.table_files.dialect import dialect_fault


def _refuse_taken_names(attributes: Iterable[str], *, also: Collection[str] = ()) -> None:
    for name in attributes:
        if names.is_taken(name) or name in also:
            raise ValueError(
                f"an attribute must not be named {name!r}, which has a meaning of its own in "
                "prepared data, predictions or audits; rename the column"
            )


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
    """How the measurements of a group become worse; 0 switches a kind off.

    Attributes
    ----------
    blur : float
        Standard deviation of a Gaussian blur, in pixels of the smallest prepared size.
    noise : float
        Standard deviation of added noise: grey levels, or standard deviations of a feature.
    """

    blur: NonNegative
    noise: NonNegative


GroupRates = dict[str, dict[str, Annotated[float, Field(ge=0, le=1)]]]


class BiasInjection(Block):
    """Bias injected into the training split by attribute and group; empty for none.

    Attributes
    ----------
    resample : mapping
        Share of the group's training samples that is kept.
    label_noise : mapping
        Probability that a training label of the group becomes another one.
    degrade : mapping
        How measurements of the group's training samples become worse.
    """

    resample: GroupRates
    label_noise: GroupRates
    degrade: dict[str, dict[str, Degradation]]


class About(Block):
    """Description of a data set by its owner; the cards quote it."""

    title: Annotated[str, Field(min_length=1)]
    description: Annotated[str, Field(min_length=1)]
    licence: Annotated[str, Field(min_length=1)]
    citation: Annotated[str, Field(min_length=1)]
    address: Annotated[str, Field(min_length=1)]
    not_known: Annotated[str, Field(min_length=1)]


class UserData(Block):
    """The user's file or folder with its digest."""

    path: Annotated[str, Field(min_length=1)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    encoding: Annotated[str, Field(min_length=1)]
    about: About

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            "".encode(value)  # of codecs that are no encoding of text, such as hex, too
            b"".decode(value)
        except (LookupError, ValueError) as error:
            raise ValueError(
                f"must be an encoding of text that Python knows, got {value!r}"
            ) from error
        return value


class CsvSource(UserData):
    """A CSV or Parquet file and the roles of its columns.

    Attributes
    ----------
    delimiter : str or None
        Character between fields; None to detect it from the header and the first rows.
    decimal : str
        Sign before the fraction of a number.
    thousands : str or None
        Sign between groups of three digits.
    """

    delimiter: str | None
    decimal: str
    thousands: str | None
    missing_values: tuple[str, ...]
    target: str
    positive: str | None
    rest: Annotated[str, Field(min_length=1)] | None
    types: dict[str, Literal["numeric", "categorical", "date"]]
    features: Literal["all"] | tuple[str, ...]
    except_: Annotated[tuple[str, ...], Field(alias="except")]
    attributes: dict[str, tuple[float, ...]]
    weight: str | None
    entity: str | None
    split: str | None
    time: str | None

    @model_validator(mode="after")
    def _roles_fit(self) -> CsvSource:
        if self.rest is not None and self.positive in (None, self.rest):
            raise ValueError(
                f"positive must name the class that is not {self.rest!r} (rest), got "
                f"{self.positive!r}"
            )
        if self.except_ and self.features != "all":
            raise ValueError(
                "except must be empty where features is a list, got "
                f"{list(self.except_)}; leave these out of features"
            )
        if self.split is not None and self.time is not None:
            raise ValueError(
                f"split or time must be null, got {self.split!r} and {self.time!r}; rows are split "
                "in one way"
            )
        return self

    @model_validator(mode="after")
    def _dialect_is_known(self) -> CsvSource:
        found = dialect_fault(self.delimiter, self.encoding, self.decimal, self.thousands)
        if found is not None:
            raise ValueError(found)
        return self

    @field_validator("attributes")
    @classmethod
    def _bounds_rise(cls, value: dict[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
        for name, bounds in value.items():
            if list(bounds) != sorted(set(bounds)):
                raise ValueError(f"bounds of {name!r} must rise, got {list(bounds)}")
        _refuse_taken_names(value)
        return value


class TableEncoding(Block):
    """How the columns of a table become numbers; scikit-learn's three tables are numeric."""

    missing_numbers: Literal["median", "mean", "refuse"]
    missing_categories: Literal["own", "most_frequent", "refuse"]
    missing_target: Literal["refuse", "drop"]
    max_categories: PositiveInt
    number_thresholds: Count
    min_group_rows: PositiveInt


class TabularData(BiasInjection, SplitParams):
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


class TextFile(UserData):
    """The user's text: documents in one file or a folder, with an attribute or none."""

    format: Literal["plain", "folder", "jsonl", "csv"]
    separator: Annotated[str, Field(min_length=1)]
    text: Annotated[str, Field(min_length=1)]
    attribute: str | None

    @model_validator(mode="after")
    def _plain_text_has_no_attribute(self) -> TextFile:
        if self.format == "plain" and self.attribute is not None:
            raise ValueError(f"attribute must be null for plain text, got {self.attribute!r}")
        return self

    @field_validator("attribute")
    @classmethod
    def _attribute_is_free(cls, value: str | None) -> str | None:
        _refuse_taken_names([value] if value is not None else [])
        return value


class TextData(SplitParams):
    """The text of the character models.

    Documents that have ``shared_runs`` of the shorter one's five-word runs in common are kept in
    one split. A group of them is in the training split if one document has more than
    ``max_containment`` of its runs in documents outside the group.
    """

    source: Literal["sklearn_docs", "tinyshakespeare", "file"]
    min_document_characters: PositiveInt
    max_characters: PositiveInt
    min_character_count: PositiveInt
    shared_runs: Annotated[float, Field(gt=0, le=1)]
    max_containment: Annotated[float, Field(gt=0, le=1)]
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

    @field_validator("attributes")
    @classmethod
    def _attributes_are_free(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        _refuse_taken_names(value, also=names.IMAGE_MEASURES)
        if twice := sorted({name for name in value if value.count(name) > 1}):
            raise ValueError(f"an attribute must be named once, got {twice[0]!r} more than once")
        return value


class FolderImages(UserData):
    """The user's folder of images; the encoding is that of its table."""

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


class ImageData(BiasInjection, SplitParams):
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
    pixels: Annotated[int, Field(ge=8, le=512)]
    per_class: PositiveInt
