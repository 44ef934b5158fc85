"""Rows of studies that have one value per row."""

from __future__ import annotations

import pandas as pd


def values(rows: pd.DataFrame, **settings: object) -> pd.Series:
    """Return the values at settings, of which there is one at least."""
    chosen = rows
    for name, value in settings.items():
        chosen = chosen[chosen[name] == value]
    assert len(chosen)
    return chosen["value"]
