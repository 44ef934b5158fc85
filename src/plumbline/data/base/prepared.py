"""A prepared data set in memory: checked, counted and written in the layout of `artifacts`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from plumbline import artifacts, names
from plumbline.artifacts import ABSENT_GROUPS, DatasetSchema
from plumbline.data.base.presence import (
    Absent,
    absent_groups,
    check_classes,
    first_few,
    warn_of_absent_groups,
)
from plumbline.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


class Prepared(Protocol):
    """A prepared data set that can be written: what every ``prepare`` function returns."""

    def write(self, folder: Path, *, raw_files: Mapping[str, str] | None = None) -> None:
        """Check the data and write its files, with the sha256 of the raw files in the schema."""

    def counts(self) -> dict[str, float]:
        """Return rows per split and per split and group; of streamed data after `write`."""


@dataclass(frozen=True)
class PreparedData:
    """A prepared data set in memory.

    Attributes
    ----------
    schema : DatasetSchema
    table : DataFrame
        One row per sample; its columns are those of `artifacts`.
    images : mapping of int to array
        Size to uint8 ``(N, C, size, size)``, C 1 (grey) or 3 (RGB); empty for tables and text.
    vocabulary : tuple of str
        Characters of a text, code 0 first; empty otherwise.
    encoding : mapping
        How raw samples become these; empty for a text, or where nothing raw is known.
    """

    schema: DatasetSchema
    table: pd.DataFrame
    images: Mapping[int, npt.NDArray[np.uint8]] = field(default_factory=dict)
    vocabulary: tuple[str, ...] = ()
    encoding: Mapping[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Check values, images and classes.

        Raises
        ------
        DataError, ArtifactError
            At the first fault.
        """
        where = self.schema.source
        artifacts.check_design(self.table, where)
        for column in (*self.schema.features, *self.schema.attributes, "y"):
            if column in self.table:
                _check_column(self.table[column], f"{where}: {column}")
        for size, pixels in self.images.items():
            channels = 3 if pixels.ndim == 4 and pixels.shape[1] == 3 else 1
            check_images(pixels, where=where, shape=(len(self.table), channels, size, size))
        if self.schema.classes:
            ids = self.table["sample_id"]
            check_classes(
                self.table["split"].to_numpy(dtype=object),
                self.table["y"].to_numpy(),
                self.schema.classes,
                where=where,
                describe=lambda rows: f"its {len(rows)} ({first_few(ids.iloc[rows].tolist())})",
                advise=lambda rows: (
                    f"add samples until it has {len(names.SPLITS)}, merge it with another class, "
                    "or leave it out"
                    if len(rows) < len(names.SPLITS)
                    else "use larger split fractions, add samples of it, merge it with another "
                    "class, or leave it out"
                ),
            )

    def absent_groups(self) -> Absent:
        """Return the groups that a split has no sample of; see `presence.absent_groups`."""
        groups = {}
        for attribute in self.schema.attributes:
            labels, codes = np.unique(self.table[attribute].astype(str), return_inverse=True)
            groups[attribute] = (codes, labels.tolist())
        return absent_groups(self.table["split"].to_numpy(dtype=object), groups)

    def write(self, folder: Path, *, raw_files: Mapping[str, str] | None = None) -> None:
        """Check the data and write its files.

        Parameters
        ----------
        folder : Path
        raw_files : mapping of str to str, optional
            sha256 of the raw files by name, kept in the schema.
        """
        self.check()
        absent = self.absent_groups()
        warn_of_absent_groups(absent, self.schema.source)
        about = {key: value for key, value in self.schema.about.items() if key != ABSENT_GROUPS}
        schema = replace(
            self.schema, about={**about, **({ABSENT_GROUPS: absent} if absent else {})}
        )
        folder.mkdir(parents=True, exist_ok=True)
        artifacts.write_json(folder / "schema.json", schema.with_raw_files(raw_files))
        is_text = self.schema.dataset == names.TEXT
        name = "documents.parquet" if is_text else "table.parquet"
        artifacts.write_table(folder / name, self.table)
        for size, pixels in self.images.items():
            with artifacts.atomic(folder / f"images_{size}.npy") as temporary:
                np.save(temporary, pixels, allow_pickle=False)
        if self.encoding:
            artifacts.write_encoding(folder, self.encoding)
        if is_text:
            artifacts.write_json(folder / "vocabulary.json", list(self.vocabulary))

    def counts(self) -> dict[str, float]:
        """Return rows per split and per split and group, by slash-separated names."""
        found = {}
        for split in names.SPLITS:
            part = self.table[self.table["split"] == split]
            found[f"{split}/rows"] = float(len(part))
            for attribute in self.schema.attributes:
                for group, count in part[attribute].value_counts().sort_index().items():
                    found[f"{split}/rows/{attribute}/{group}"] = float(count)
            if "text" in part:
                found[f"{split}/characters"] = float(part["text"].str.len().sum())
            if "labelled" in part:
                found[f"{split}/labelled"] = float(part["labelled"].sum())
        return found


def check_images(
    images: npt.NDArray[Any], *, where: str, shape: tuple[int | None, ...] | None = None
) -> None:
    """Check that images are uint8, not empty, and of a shape (None: any length).

    Raises
    ------
    DataError
        If they are not.
    """
    wanted = shape or (None, None, None)
    matches = len(wanted) == images.ndim and all(
        w is None or w == got for w, got in zip(wanted, images.shape, strict=True)
    )
    if images.dtype != np.uint8 or not matches or images.size == 0:
        rule = ", ".join("any" if w is None else str(w) for w in wanted)
        raise DataError(
            f"{where}: images must be uint8 of shape ({rule}), "
            f"got {images.dtype} of shape {tuple(images.shape)}"
        )


def _check_column(column: pd.Series[Any], where: str) -> None:
    if column.dtype.kind == "f":
        missing = int((~np.isfinite(column.to_numpy())).sum())
        rule = "finite numbers"
    else:
        missing = int(column.isna().sum() + (column == "").sum())
        rule = "values"
    if missing:
        raise DataError(
            f"{where} must have {rule} only, got NaN, infinite or missing values in {missing} rows"
        )
