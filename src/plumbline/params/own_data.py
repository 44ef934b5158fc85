"""Blocks of the user's own data: where they are, and the roles of their columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from plumbline import names
from plumbline.params.blocks import Block, PositiveInt
from plumbline.table_files.dialect import dialect_fault, is_text_encoding


def _refuse_taken_names(attributes: Iterable[str], *, also: Collection[str] = ()) -> None:
    for name in attributes:
        if names.is_taken(name) or name in also:
            raise ValueError(
                f"an attribute must not be named {name!r}, which has a meaning of its own in "
                "prepared data, predictions or audits; rename the column"
            )


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
        if not is_text_encoding(value):
            raise ValueError(f"must be an encoding of text that Python knows, got {value!r}")
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
