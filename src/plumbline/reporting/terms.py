"""Readable names of the columns of a study and of their values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

# By column: its name, with {} where the value of a setting goes; or a name for each value, with the
# key "" for the column itself. What has the name "" goes without saying.
Terms = Mapping[str, str | Mapping[Any, str]]


def name_of(terms: Terms, column: str) -> str:
    """Return what a column is called."""
    term = terms.get(column, column)
    text = term if isinstance(term, str) else term.get("", column)
    return text.replace("{}", "").replace("_", " ").strip()


def quantity(terms: Terms, metric: str, at: Mapping[str, Any]) -> str:
    """Return a metric with the settings at which it is taken in brackets."""
    head, *rest = filter(None, (name_of(terms, metric), *_settings(terms, at)))
    return f"{head} ({', '.join(rest)})" if rest else head


def side(terms: Terms, at: Mapping[str, Any]) -> str:
    """Return the settings of one side of a comparison."""
    return ", ".join(_settings(terms, at)) or "all rows"


def in_table(terms: Terms, found: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose columns and values have readable names."""
    maps = {c: term for c, term in terms.items() if c in found and not isinstance(term, str)}
    named = {c: term for c in found if (term := name_of(terms, str(c)))}
    cells = {c: [term.get(v) or v for v in found[c]] for c, term in maps.items()}
    return found.assign(**cells).rename(columns=named)


def _settings(terms: Terms, at: Mapping[str, Any]) -> Iterable[str]:
    order = [*terms, *at]
    for column in sorted(at, key=order.index):
        term, value = terms.get(column, f"{column} {{}}"), at[column]
        text = (
            term.format(value)
            if isinstance(term, str)
            else term.get(value, str(value).replace("_", " "))
        )
        if text:
            yield text
