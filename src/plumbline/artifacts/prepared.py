"""Prepared data: its schema, its table, its images, and how text becomes codes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline import names
from plumbline.artifacts.files import (
    dataclass_from_json,
    existing,
    read_json,
    read_table,
    write_text,
)
from plumbline.artifacts.plain_text import visible_json
from plumbline.errors import ArtifactError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

ABSENT_GROUPS = "absent_groups"  # of ``about`` in a schema
MERGED_CLASSES = "merged_classes"  # the same: class and rows by value
ENCODED_COLUMNS = "encoded_columns"  # the same: facts by column of the file
UNMARKED = "missing_unmarked"  # of a column: missing values that no feature marks
ENCODING = "encoding.json"
SHOWN = 10  # absent groups of an attribute, or merged values, that are named


@dataclass(frozen=True)
class DatasetSchema:
    """Schema of a prepared data set.

    Attributes
    ----------
    dataset : {'tabular', 'text', 'images', 'glyphs'}
    source : str
        Name of the source in ``params.yaml``.
    task : {'binary', 'multiclass', 'regression', 'language'}
    classes : tuple of str
        Class names in the order of their codes; empty for regression and text.
    attributes : tuple of str
        Columns that the audit groups by.
    features : tuple of str
        Feature columns of a table; empty for images and text.
    about : dict
        Title, description, licence, citation and address of the source, and the origin of each
        attribute: the texts of the cards about the data.
    """

    dataset: str
    source: str
    task: str
    classes: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def positive(self) -> str | None:
        """The class whose prediction counts as selection: the second of two, else None."""
        return self.classes[1] if self.task == "binary" else None

    def with_raw_files(self, raw_files: Mapping[str, str] | None) -> DatasetSchema:
        """Return the schema with the sha256 of the raw files by name, unchanged for None."""
        if raw_files is None:
            return self
        return replace(self, about={**self.about, "raw_files": dict(raw_files)})

    @classmethod
    def read(cls, folder: Path) -> DatasetSchema:
        """Read ``schema.json`` of a prepared folder.

        Raises
        ------
        ArtifactError
            If a key is missing or unknown, or a feature is a reserved column.
        """
        schema: DatasetSchema = dataclass_from_json(cls, folder / "schema.json")
        wrong = sorted(
            {*names.PREPARED_COLUMNS}.intersection(schema.features)
            | {name for name in schema.attributes if names.is_taken(name, schema.classes)}
        )
        if wrong:
            raise ArtifactError(
                f"{folder.name}/schema.json: features and attributes must have names of their own, "
                f"got {wrong}; rename the columns"
            )
        return schema


def absent_group_notes(about: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each attribute with groups that a split has no row of.

    Parameters
    ----------
    about : mapping
        Of a `DatasetSchema`; under `ABSENT_GROUPS` it may hold, by attribute and group, the number
        of ``rows`` and the splits that the group is ``absent_from``.
    """
    found = []
    for attribute, groups in about.get(ABSENT_GROUPS, {}).items():
        told = [
            f"{group} (n = {facts['rows']}; none in {' and '.join(facts['absent_from'])})"
            for group, facts in groups.items()
        ]
        more = f" and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
        found.append(
            f"Groups of {attribute} without a row in a split: {', '.join(told[:SHOWN])}{more}. "
            "No metric describes a group without test rows, and no model has seen one without "
            "training rows."
        )
    return found


def merged_class_notes(about: Mapping[str, Any]) -> list[str]:
    """Return a sentence on the values of the target that one class stands for, if it was merged."""
    if MERGED_CLASSES not in about:
        return []
    merged = about[MERGED_CLASSES]
    told = [f"{value} ({rows} rows)" for value, rows in merged["values"].items()]
    more = f" and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    return [f"Class {merged['class']} stands for {', '.join(told[:SHOWN])}{more}."]


def unmarked_value_notes(about: Mapping[str, Any]) -> list[str]:
    """Return a sentence on the columns with missing values that no feature marks, if there are any.

    Parameters
    ----------
    about : mapping
        Of a `DatasetSchema`; under `ENCODED_COLUMNS` it may hold facts by column, among them the
        number of such values, `UNMARKED`.
    """
    columns = about.get(ENCODED_COLUMNS, {})
    told = [f"{name} ({facts[UNMARKED]})" for name, facts in columns.items() if UNMARKED in facts]
    if not told:
        return []
    more = f" and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    return [
        f"Missing values that no feature marks: {', '.join(told[:SHOWN])}{more}. They were "
        "imputed from training rows, or belong to no category of these."
    ]


def read_split_table(folder: Path, *, name: str = "table.parquet") -> pd.DataFrame:
    """Read the table of a prepared folder and check ids and splits.

    Raises
    ------
    ArtifactError
        If ids repeat, a split is unknown or empty, or `check_design` finds a fault.
    """
    table, _ = read_table(folder / name)
    where = f"{folder.name}/{name}"
    if table["sample_id"].duplicated().any():
        twice = table.loc[table["sample_id"].duplicated(), "sample_id"].iloc[0]
        raise ArtifactError(f"{where}: sample_id must be unique, got {twice!r} more than once")
    if (found := set(table["split"])) != set(names.SPLITS):
        raise ArtifactError(f"{where}: splits must be {names.SPLITS}, got {sorted(found)}")
    check_design(table, where)
    return table


def check_design(table: pd.DataFrame, where: str) -> None:
    """Check the entity and the weight of every row of a prepared or a predictions table, if any.

    Raises
    ------
    ArtifactError
        If an entity is missing or in two splits, a weight is not a finite number >= 0, or all
        weights of a split are 0.
    """
    import numpy as np

    if names.ENTITY in table:
        if missing := int(table[names.ENTITY].isna().sum()):
            raise ArtifactError(
                f"{where}: {names.ENTITY} must be known in every row, got {missing} rows without"
            )
        pairs = table[[names.ENTITY, "split"]].drop_duplicates()
        if (twice := pairs[names.ENTITY].duplicated()).any():
            raise ArtifactError(
                f"{where}: an entity must be in one split only, got "
                f"{pairs.loc[twice, names.ENTITY].iloc[0]!r} in two"
            )
    if names.WEIGHT in table:
        weight = table[names.WEIGHT].to_numpy(dtype="float64")
        if not (np.isfinite(weight) & (weight >= 0)).all():
            raise ArtifactError(
                f"{where}: {names.WEIGHT} must be finite and >= 0 in every row, got another value"
            )
        for split in table["split"].unique():
            if not weight[(table["split"] == split).to_numpy()].any():
                raise ArtifactError(
                    f"{where}: {names.WEIGHT} must be above 0 in some row of split {split}, got "
                    "none"
                )


def read_images(folder: Path, size: int, *, rows: int) -> npt.NDArray[np.uint8]:
    """Read the images of a prepared folder, ``(rows, C, size, size)`` in the order of its table.

    Raises
    ------
    ArtifactError
        If there are none of this size, or their type or shape is another.
    """
    import numpy as np

    path = existing(folder / f"images_{size}.npy")
    try:
        images: npt.NDArray[np.uint8] = np.load(path, allow_pickle=False)
    except ValueError as error:
        raise ArtifactError(
            f"{folder.name}/{path.name}: content must be a NumPy array, got none ({error})"
        ) from error
    shape = images.shape
    if images.dtype != np.uint8 or len(shape) != 4 or shape[0] != rows or shape[2:] != (size, size):
        raise ArtifactError(
            f"{folder.name}/{path.name}: images must be uint8 ({rows}, C, {size}, {size}), "
            f"got {images.dtype} {shape}"
        )
    return images


def write_encoding(folder: Path, encoding: Mapping[str, Any]) -> None:
    """Write how raw samples of a prepared data set become what models read.

    Numbers keep all their digits, unlike those of other JSON files: a rounded imputed value would
    give a new row other features than the prepared rows have.
    """
    text = json.dumps(encoding, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(folder / ENCODING, visible_json(text) + "\n")


def read_encoding(folder: Path, keys: Iterable[str]) -> dict[str, Any]:
    """Read ``encoding.json`` of a prepared folder.

    Raises
    ------
    ArtifactError
        If it has other keys than these.
    """
    found = read_json(folder / ENCODING)
    if not isinstance(found, dict) or set(found) != set(keys):
        got = sorted(found) if isinstance(found, dict) else type(found).__name__
        raise ArtifactError(
            f"{folder.name}/{ENCODING}: keys must be {sorted(keys)}, got {got}; prepare the data "
            "again"
        )
    return found


RARE = "\ufffd"  # the replacement character: code 0 of every vocabulary


def read_vocabulary(folder: Path) -> tuple[str, ...]:
    """Read the characters of a prepared text; the index is the code.

    Raises
    ------
    ArtifactError
        If the list is not one of different characters that begins with `RARE`.
    """
    path = folder / "vocabulary.json"
    found = read_json(path)
    characters = isinstance(found, list) and all(isinstance(c, str) and len(c) == 1 for c in found)
    if not characters or found[:1] != [RARE] or len(set(found)) != len(found):
        raise ArtifactError(
            f"{folder.name}/{path.name}: content must be a list of different characters that "
            f"begins with U+FFFD, got {str(found)[:40]}"
        )
    return tuple(found)


def encode_text(text: str, vocabulary: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the code of each character, ``(len(text),)``; 0 for those not in the vocabulary."""
    import numpy as np

    codes = {ord(character): code for code, character in enumerate(vocabulary)}
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    table = np.zeros(max(codes) + 1, dtype=np.int64)
    table[list(codes)] = list(codes.values())
    return np.where(points < len(table), table[np.minimum(points, len(table) - 1)], 0)


def decode_text(codes: Iterable[int], vocabulary: Sequence[str]) -> str:
    """Return the text of codes; code 0 becomes `RARE`."""
    return "".join(vocabulary[int(code)] for code in codes)
