"""Run a study, and check its rows.

Stages that train depend on this module, and on no other one of the framework.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from plumbline.errors import ArtifactError

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]  # done, total, text


def run(lab: str, study: str, options: Any, *, seed: int, progress: Progress) -> pd.DataFrame:
    """Return the `check`-ed rows that ``run`` of ``plumbline.studies.<lab>.<study>`` makes."""
    module = importlib.import_module(f"plumbline.studies.{lab}.{study}")
    return check(module.run(options, seed, progress), f"{lab}/{study}")


def check(rows: pd.DataFrame, where: str) -> pd.DataFrame:
    """Log why values are undefined; an `ArtifactError` if a row has no seed or no reason for it."""
    if "seed" not in rows or rows.empty or rows["seed"].isna().any():
        raise ArtifactError(
            f"{where}: rows must have a seed each, got {len(rows)} rows with the columns "
            f"{', '.join(map(str, rows))}; return one row per setting and seed"
        )
    incomplete = rows.select_dtypes("float").isna().any(axis=1)
    without = rows["reason"].fillna("") == "" if "reason" in rows else True
    if unexplained := int((incomplete & without).sum()):
        raise ArtifactError(
            f"{where}: undefined values must have a reason, got none in {unexplained} rows; add "
            "it in the column 'reason'"
        )
    if incomplete.any():
        for why, count in rows["reason"][incomplete].value_counts().items():
            log.warning("%s: %d rows with undefined values: %s", where, count, why)
    return rows
