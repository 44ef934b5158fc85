"""Encoders that turn typed columns into numbers, fitted on the training rows alone.

A number stays what it is; a category becomes one column of 0 and 1 per value; a date becomes days
since 1970, month and weekday. Missing values are imputed by the chosen policy, and an indicator
column marks them if training rows have some; those that no column marks are counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plumbline.artifacts import UNMARKED
from plumbline.data.tables.csv_files import CATEGORY, DATE
from plumbline.errors import DataError

if TYPE_CHECKING:
    from plumbline.params.data import TableEncoding

OTHER, MISSING = "(other)", "(missing)"
UNSEEN = "held_out_rows_of_unseen_categories"  # of a column's facts
Columns = list[npt.NDArray[Any]]


@dataclass(frozen=True)
class Encoder:
    """A fitted column.

    Attributes
    ----------
    column, kind : str
        Name and type of the raw column.
    features : tuple of str
        Names of the columns it becomes.
    values : tuple of str
        Categories with a column of their own, in the order of ``features``.
    fill : float or str or None
        Imputed for a missing value; None where the category `MISSING` is one of the values.
    thresholds : tuple of float
        A number also becomes a column of 0 and 1 for each, 1 from the threshold upwards.
    flag : bool
        Whether the last feature indicates missing values.
    facts : dict
        Facts for the reports: missing training values, all missing values that no feature marks,
        categories without a column of their own, held-out rows with a category of no training row.
    """

    column: str
    kind: str
    features: tuple[str, ...]
    values: tuple[str, ...]
    fill: float | str | None
    flag: bool
    facts: dict[str, Any]
    thresholds: tuple[float, ...] = ()

    def transform(self, raw: Any) -> Columns:
        """Return the columns, ``(N,)`` each, of a raw Arrow column with N rows."""
        if self.kind == CATEGORY:
            return self._one_hot(raw)
        numbers = _numbers(raw, self.kind)
        absent = np.isnan(numbers)
        filled = np.where(absent, float(self.fill or 0.0), numbers)
        found: Columns = _date_parts(filled) if self.kind == DATE else [filled]
        found += [(filled >= threshold).astype(np.uint8) for threshold in self.thresholds]
        return [*found, absent.astype(np.uint8)] if self.flag else found

    def _one_hot(self, raw: Any) -> Columns:
        import pyarrow as pa
        import pyarrow.compute as pc

        filled = pc.fill_null(raw, MISSING if self.fill is None else self.fill)
        codes = pc.index_in(filled, value_set=pa.array(self.values, pa.string()))
        place = pc.fill_null(codes, -1).to_numpy(zero_copy_only=False)
        shared = len(self.features) > len(self.values)
        wanted = [*range(len(self.values)), *([-1] if shared else [])]
        return [(place == code).astype(np.uint8) for code in wanted]


def fit_encoder(
    raw: Any, *, held_out: Any, column: str, kind: str, rules: TableEncoding, where: str
) -> Encoder:
    """Fit a column to its training values.

    Parameters
    ----------
    raw : Arrow array
        The training rows of the column, nulls among them.
    held_out : Arrow array
        The other rows of the column, which are counted only.
    column, kind : str
    rules : TableEncoding
    where : str
        Prefix of error messages.

    Raises
    ------
    DataError
        If a value is missing where the rules refuse it, infinite, or missing in every row.
    """
    import pyarrow.compute as pc

    missing, untaught = int(raw.null_count), int(held_out.null_count)
    policy = rules.missing_categories if kind == CATEGORY else rules.missing_numbers
    if (missing or untaught) and policy == "refuse":
        raise DataError(
            f"{where}: column {column!r} must have a value in every row, got {missing} missing in "
            f"the training split and {untaught} in the others; correct them or choose another "
            "policy in data_tabular.encoding"
        )
    if missing == len(raw):
        raise DataError(
            f"{where}: column {column!r} must have a value in the training split, got none; "
            "leave it out of features"
        )
    if kind == CATEGORY:
        fitted = _fit_categories(pc.value_counts(raw), column, missing, untaught, rules)
        known = pc.is_in(held_out.drop_null(), value_set=pc.unique(raw))
        new = len(known) - (pc.sum(known).as_py() or 0)
        return replace(fitted, facts={**fitted.facts, UNSEEN: new}) if new else fitted
    numbers = _numbers(raw, kind)
    present = numbers[~np.isnan(numbers)]
    thresholds: tuple[float, ...] = ()
    if kind == DATE:
        fill = float(np.floor(np.median(present)))
        parts: tuple[str, ...] = (f"{column}_days", f"{column}_month", f"{column}_weekday")
    else:
        fill = float(np.mean(present) if policy == "mean" else np.median(present))
        thresholds = _thresholds(present, rules.number_thresholds)
        parts = (column, *(f"{column}>={threshold:g}" for threshold in thresholds))
    flagged = (*parts, f"{column}_missing") if missing else parts
    facts = {"missing": missing, "filled_with": fill} if missing else {}
    if untaught and not missing:
        facts = {UNMARKED: untaught, "filled_with": fill}
    return Encoder(column, kind, flagged, (), fill, bool(missing), facts, thresholds)


def _thresholds(present: npt.NDArray[np.float64], count: int) -> tuple[float, ...]:
    """Return those quantiles of the distinct values, at six digits, that separate rows.

    Steps let a network treat parts of a number's range separately, as trees do (after Y. Gorishniy
    et al. (2022), On Embeddings for Numerical Features in Tabular Deep Learning,
    arXiv:2203.05556, section 3.2, with steps in place of ramps).
    """
    if count == 0:
        return ()
    values = np.unique(present)
    inner = np.quantile(values, np.linspace(0, 1, count + 2)[1:-1])
    rounded = {float(f"{value:.6g}") for value in inner}
    return tuple(sorted(v for v in rounded if values[0] < v <= values[-1]))


def _fit_categories(
    counts: Any, column: str, missing: int, held_out: int, rules: TableEncoding
) -> Encoder:
    pairs = [(entry["values"], entry["counts"]) for entry in counts.to_pylist()]
    present = sorted(((v, n) for v, n in pairs if v is not None), key=lambda p: (-p[1], p[0]))
    fill = None if rules.missing_categories == "own" else present[0][0]
    kept = sorted(value for value, _ in present[: rules.max_categories])
    rare = len(present) - len(kept)
    # Without rare values the shared column is 0 in every training row: nothing to learn from.
    values = (*kept, MISSING) if missing and fill is None and MISSING not in kept else tuple(kept)
    names = [*values, OTHER] if rare else list(values)
    facts: dict[str, Any] = {"missing": missing} if missing else {}
    if MISSING not in values and missing + held_out:
        facts[UNMARKED] = missing + held_out
    if rare:
        facts["categories_in_other"] = rare
    features = tuple(f"{column}={value}" for value in names)
    return Encoder(column, CATEGORY, features, values, fill, False, facts)


def _numbers(raw: Any, kind: str) -> npt.NDArray[np.float64]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind == DATE:
        micros = pc.cast(raw, pa.int64())
        # Unsafe: microseconds of the year 9999 are no whole double; they are exact to 32 of them.
        days = pc.divide(pc.cast(micros, pa.float64(), safe=False), 86_400e6)
        return np.asarray(days.to_numpy(zero_copy_only=False), dtype=np.float64)
    return np.asarray(raw.to_numpy(zero_copy_only=False), dtype=np.float64)


def _date_parts(days: npt.NDArray[np.float64]) -> Columns:
    whole = np.floor(days).astype(np.int64)
    month = whole.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    weekday = (whole + 3) % 7  # 1 January 1970 was a Thursday; Monday is 0
    return [days, month.astype(np.float64), weekday.astype(np.float64)]


def describe(encoders: Sequence[Encoder]) -> Mapping[str, Any]:
    """Return the facts of each column that has any."""
    return {encoder.column: encoder.facts for encoder in encoders if encoder.facts}
