"""Encoding of a prepared table: fitted encoders in a file, and raw columns into features.

``encoding.json`` holds ``{"columns": [...], "dialect": {...}}``: the fields of each `Encoder` with
``refuse_missing``, and how a CSV of such rows is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plumbline import artifacts
from plumbline.data.tables.csv_files import CATEGORY, NUMBER
from plumbline.data.tables.encoders import Encoder
from plumbline.data.tables.inference import cast_column
from plumbline.errors import ArtifactError, DataError
from plumbline.table_files import Dialect

if TYPE_CHECKING:
    from plumbline.params.data import TableEncoding

KEYS = ("columns", "dialect")
REFUSE = "refuse"


def encoding_of(
    encoders: Sequence[Encoder], *, rules: TableEncoding | None, dialect: Dialect
) -> dict[str, Any]:
    """Return the content of ``encoding.json``; without rules no missing value is imputed."""

    def refuses(encoder: Encoder) -> bool:
        if rules is None:
            return True
        category = encoder.kind == CATEGORY
        return (rules.missing_categories if category else rules.missing_numbers) == REFUSE

    columns = [
        {**{k: v for k, v in asdict(e).items() if k != "facts"}, "refuse_missing": refuses(e)}
        for e in encoders
    ]
    return {"columns": columns, "dialect": asdict(dialect)}


def numeric_encoder(column: str, feature: str, training: npt.NDArray[np.float64]) -> Encoder:
    """Return the encoder of a number that stays as it is; ``fill`` is the training median."""
    return Encoder(column, NUMBER, (feature,), (), float(np.median(training)), False, {})


@dataclass(frozen=True)
class RawColumns:
    """Fitted encoders, for raw rows.

    Attributes
    ----------
    encoders : tuple of Encoder
    refuse_missing : frozenset of str
        Columns in which a missing value is an error.
    dialect : Dialect
        Of a CSV of raw rows; its ``missing`` texts stand for missing values in any input.
    """

    encoders: tuple[Encoder, ...]
    refuse_missing: frozenset[str]
    dialect: Dialect

    @classmethod
    def read(cls, folder: Path) -> RawColumns:
        """Read ``encoding.json`` of a prepared table.

        Raises
        ------
        ArtifactError
            If the file is missing or damaged.
        """
        found = artifacts.read_encoding(folder, KEYS)
        try:
            refuse = frozenset(c["column"] for c in found["columns"] if c.pop("refuse_missing"))
            encoders = tuple(_encoder(column) for column in found["columns"])
            dialect = Dialect(**{**found["dialect"], "missing": tuple(found["dialect"]["missing"])})
        except (AttributeError, KeyError, TypeError) as error:
            raise ArtifactError(
                f"{folder.name}/{artifacts.ENCODING}: columns must be those of encoders, got "
                f"{type(error).__name__}: {error}; prepare the data again"
            ) from error
        return cls(encoders, refuse, dialect)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the raw columns."""
        return tuple(encoder.column for encoder in self.encoders)

    def features(
        self, columns: Mapping[str, Any], *, where: str
    ) -> tuple[dict[str, npt.NDArray[Any]], dict[str, tuple[int, str]]]:
        """Encode raw rows.

        Parameters
        ----------
        columns : mapping of str to Arrow array
            Of any type whose values are numbers, categories or dates as declared; text is parsed.
        where : str
            Prefix of error messages.

        Returns
        -------
        features : dict of arrays, (N,)
        unseen : dict
            Rows with a category of no training row, and the first such category, by column. Their
            features are 0, as those of such held-out rows were.

        Raises
        ------
        DataError
            If a column is missing, or has a value of another type, an infinite one, or a missing
            one where the data set refuses these.
        """
        if absent := [name for name in self.names if name not in columns]:
            raise DataError(
                f"{where}: columns must include {absent}, got {sorted(columns)[:30]}; names are "
                "case-sensitive"
            )
        found: dict[str, npt.NDArray[Any]] = {}
        unseen = {}
        for encoder in self.encoders:
            raw = self._typed(columns[encoder.column], encoder, where)
            if new := _unseen(raw, encoder):
                unseen[encoder.column] = new
            found |= dict(zip(encoder.features, encoder.transform(raw), strict=True))
        return found, unseen

    def _typed(self, column: Any, encoder: Encoder, where: str) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        name, kind = encoder.column, encoder.kind
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = pc.cast(column, pa.string())
            marks = pc.is_in(column, value_set=pa.array(self.dialect.missing, pa.string()))
            column = pc.if_else(marks, pa.scalar(None, pa.string()), column)
        try:
            typed = cast_column(column, kind, self.dialect)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            got = " ".join(str(error).split())[:200]
            raise DataError(
                f"{where}: column {name!r} must be {kind} in every row, got: {got}; correct it"
            ) from error
        if kind == NUMBER:
            values = typed.to_numpy(zero_copy_only=False)
            if wrong := int(np.isinf(values).sum()):
                raise DataError(
                    f"{where}: column {name!r} must be finite in every row, got infinite values in "
                    f"{wrong} rows; correct or remove them"
                )
            if np.isnan(values).sum() > typed.null_count:
                typed = pc.if_else(pc.is_nan(typed), pa.scalar(None, pa.float64()), typed)
        if typed.null_count and name in self.refuse_missing:
            raise DataError(
                f"{where}: column {name!r} must have a value in every row, got {typed.null_count} "
                "missing; correct or remove these rows"
            )
        return typed


def _encoder(column: Mapping[str, Any]) -> Encoder:
    plain = Encoder(**column, facts={})
    return replace(
        plain,
        features=tuple(plain.features),
        values=tuple(plain.values),
        thresholds=tuple(plain.thresholds),
    )


def _unseen(raw: Any, encoder: Encoder) -> tuple[int, str] | None:
    """Return the rows of categories without a feature, and the first of these categories."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if encoder.kind != CATEGORY or len(encoder.features) > len(encoder.values):
        return None
    known = pc.is_in(raw, value_set=pa.array(encoder.values, pa.string()))
    new = raw.filter(pc.and_(pc.invert(known), pc.is_valid(raw)))
    return (len(new), str(new[0])) if len(new) else None
