"""Claims as data: contrasts of settings, measured once per seed, and what is said about them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from plumbline.reporting.terms import Terms, name_of, quantity, side

if TYPE_CHECKING:
    import pandas as pd

Settings = Mapping[str, Any]

NOT_MEASURED = "not measured at this size"  # why a claim is undecided that has no rows


@dataclass(frozen=True)
class Difference:
    """``first - second`` of a metric, seed by seed; with ``log`` the logarithm of their ratio."""

    metric: str
    first: Settings
    second: Settings
    log: bool = False

    def effects(self, rows: pd.DataFrame) -> pd.Series:
        """Return the effect of each seed, NaN where a side has no value."""
        first, second = (_of_seeds(rows, self.metric, at) for at in (self.first, self.second))
        return _log(first) - _log(second) if self.log else first - second

    def in_words(self, terms: Terms) -> str:
        """Return what is compared, by the names that a study gives."""
        both = dict(self.first.items() & self.second.items())
        sides = ({k: v for k, v in at.items() if k not in both} for at in (self.first, self.second))
        first, second = (side(terms, at) for at in sides)
        shown = f"logarithm of the ratio {first} /" if self.log else f"{first} minus"
        return f"{quantity(terms, self.metric, both)}: {shown} {second}"


@dataclass(frozen=True)
class Slope:
    """Least-squares slope of a metric over a setting, minus ``target``; of logs an exponent."""

    metric: str
    over: str
    at: Settings
    log: bool = False
    log_over: bool = False
    target: float = 0.0

    def effects(self, rows: pd.DataFrame) -> pd.Series:
        """Return the effect of each seed, NaN where a value lacks or there is one place only."""
        chosen = _chosen(rows, [self.metric, self.over], self.at)
        x, y = chosen[self.over].astype(float), chosen[self.metric].astype(float)
        x, y = (_log(x) if self.log_over else x), (_log(y) if self.log else y)
        x = x - x.groupby(chosen["seed"]).transform("mean")
        products, squares = ((x * of).groupby(chosen["seed"]).sum() for of in (y, x))
        missing = y.isna().groupby(chosen["seed"]).any()
        return (products / squares.where(squares > 0)).mask(missing) - self.target

    def in_words(self, terms: Terms) -> str:
        """Return what grows with what, by the names that a study gives."""
        what, over = quantity(terms, self.metric, self.at), name_of(terms, self.over)
        if self.log and self.log_over:
            return f"exponent with which {what} grows with {over}{_minus(self.target)}"
        logs = ("the logarithm of " * each for each in (self.log, self.log_over))
        return f"slope of {next(logs)}{what} over {next(logs)}{over}{_minus(self.target)}"


@dataclass(frozen=True)
class Value:
    """A metric minus ``target``, seed by seed."""

    metric: str
    at: Settings
    target: float = 0.0

    def effects(self, rows: pd.DataFrame) -> pd.Series:
        """Return the effect of each seed."""
        return _of_seeds(rows, self.metric, self.at) - self.target

    def in_words(self, terms: Terms) -> str:
        """Return what is measured, by the names that a study gives."""
        return f"{quantity(terms, self.metric, self.at)}{_minus(self.target)}"


@dataclass(frozen=True)
class Claim:
    """A statement about an effect; `plumbline.studies.framework.verdicts` judges it.

    Attributes
    ----------
    statement : str
        Paraphrase of the chapter, or of a published result.
    direction : {'more', 'less', 'equal'}
        Claimed region of the effect: above ``relevant``, below its negative, or between both, ends
        included.
    relevant : float
        Smallest relevant effect in the unit of the contrast, >= 0.
    is_false, is_control : bool
        Deliberately false: it must come out refuted. Of two equal settings: never supported.
    every_seed : bool
        Supported if the effects of all seeds lie in the region, refuted if one does not. The
        interval is their range, without a test.
    method : {'t', 'bootstrap'}
        Interval of the mean: Student's t, or expanded percentiles for skewed effects.
    """

    id: str
    exercise: str
    statement: str
    contrast: Difference | Slope | Value
    direction: Literal["more", "less", "equal"]
    relevant: float
    is_false: bool = False
    is_control: bool = False
    every_seed: bool = False
    method: Literal["t", "bootstrap"] = "t"

    @property
    def region(self) -> str:
        """The claimed region in words."""
        r = self.relevant
        signs = {"more": f"> {r:.4g}", "less": f"< {0 - r:.4g}", "equal": f"within ±{r:.4g}"}
        is_ratio = isinstance(self.contrast, Difference) and self.contrast.log and r > 0
        return signs[self.direction] + (f" (a factor of {math.exp(r):.4g})" if is_ratio else "")


def _of_seeds(rows: pd.DataFrame, metric: str, at: Settings) -> pd.Series:
    chosen = _chosen(rows, [metric], at)
    if chosen["seed"].duplicated().any():
        found = f"{len(chosen)} rows of {chosen['seed'].nunique()} seeds; name more settings"
        raise ValueError(f"claims: {metric} at {dict(at)} must be one row per seed, got {found}")
    return chosen.set_index("seed")[metric].astype(float)


def _chosen(rows: pd.DataFrame, columns: Sequence[str], at: Settings) -> pd.DataFrame:
    if unknown := [name for name in ("seed", *columns, *at) if name not in rows]:
        known = ", ".join(map(str, rows))
        raise ValueError(f"claims: columns must be among {known}, got {', '.join(unknown)}")
    for name, value in at.items():
        rows = rows[rows[name] == value]
    return rows


def _log(values: pd.Series) -> pd.Series:
    return values.where(values > 0).map(math.log)


def _minus(target: float) -> str:
    return f", {'minus' if target > 0 else 'plus'} {abs(target):.4g}" if target else ""
