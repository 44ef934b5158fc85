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

SEED, REASON = "seed", "reason"  # columns of every table of rows; the second one may lack
Progress = Callable[[int, int, str], None]  # done, total, text


def run(lab: str, study: str, options: Any, *, seed: int, progress: Progress) -> pd.DataFrame:
    """Return the rows of a study: one per setting and seed.

    Parameters
    ----------
    lab, study : str
        Module ``plumbline.studies.<lab>.<study>``, whose function ``run`` is called.
    options : Block
        Parameters of the study.
    seed : int
        From which the seeds of the study are derived.
    progress : callable
        Takes the number of fits done, their total, and a text.

    Raises
    ------
    ArtifactError
        If a row has no seed, a setting stands twice with one seed, or a value is undefined without
        a reason.
    """
    module = importlib.import_module(f"plumbline.studies.{lab}.{study}")
    rows: pd.DataFrame = module.run(options, seed, progress)
    check(rows, f"{lab}/{study}")
    return rows


def check(rows: pd.DataFrame, where: str) -> None:
    """Check rows, see `run`; say how many lack a value."""
    if SEED not in rows or rows.empty or rows[SEED].isna().any():
        raise ArtifactError(
            f"{where}: rows must have a seed each, got {len(rows)} rows with the columns "
            f"{', '.join(map(str, rows))}; return one row per setting and seed"
        )
    values = rows.select_dtypes("float").columns
    incomplete = rows[values].isna().any(axis=1)
    if not incomplete.any():
        return
    without = rows[REASON].fillna("") == "" if REASON in rows else True
    if unexplained := int((incomplete & without).sum()):
        raise ArtifactError(
            f"{where}: undefined values must have a reason, got none in {unexplained} rows; add "
            f"it in the column {REASON!r}"
        )
    log.warning("%s: %d of %d rows lack a value", where, int(incomplete.sum()), len(rows))
