"""Blocks of the data sets: sources, splits, encodings, injected bias."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from plumbline.params.blocks import Block, Count, NonNegative, PositiveInt, Share
from plumbline.params.own_data import CsvSource, FolderImages, TextFile


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
        if self.source == "csv" and self.csv is not None and self.target != "label":
            for name in ("positive", "rest"):
                if (value := getattr(self.csv, name)) is not None:
                    raise ValueError(
                        f"csv.{name} must be null where target is {self.target}, got {value!r}; "
                        "only labels have such a class"
                    )
        return self


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
