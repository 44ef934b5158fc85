"""Load small data sets: of scikit-learn, and UCI Adult from a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn import datasets

from plumbline.errors import ParamsError

ADULT = "adult"
_ADULT_NUMBERS = {0, 2, 4, 10, 11, 12}  # columns of ``adult.data``; the last one is the target
_ADULT_COLUMNS = (
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation",
    "relationship", "race", "sex", "capital-gain", "capital-loss", "hours-per-week",
    "native-country", "income",
)  # fmt: skip
_MEANS = 10  # columns of the table of tumours that are means; the others derive from the same ten


@dataclass(frozen=True)
class Rows:
    """Rows of a data set.

    Attributes
    ----------
    features : array
        ``(N, F)``, float64.
    targets : array
        ``(N,)``: class codes 0…K-1, or numbers.
    names : tuple of str
        ``F``.
    classes : int
        ``K``; 0 for numbers.
    """

    features: npt.NDArray[np.float64]
    targets: npt.NDArray[Any]
    names: tuple[str, ...]
    classes: int


def shuffled(source: str, seed: int, *, file: str | None = None, scaled: bool = True) -> Rows:
    """Return a data set with its rows in a random order.

    Parameters
    ----------
    source : {'digits', 'diabetes', 'breast_cancer', 'adult'}
        Digits have pixels 0…16; of the tumours there are the ten means.
    seed : int
        Of the order.
    file : str, optional
        Path of UCI Adult's ``adult.data``.
    scaled : bool
        Features of diabetes as scikit-learn scales them, or in their own units.

    Raises
    ------
    ParamsError
        If there is no such file.
    """
    readers: dict[str, Callable[[], Rows]] = {
        "digits": partial(_bundled, datasets.load_digits),
        "diabetes": partial(_bundled, datasets.load_diabetes, classes=False, scaled=scaled),
        "breast_cancer": partial(_bundled, datasets.load_breast_cancer, columns=_MEANS),
        ADULT: partial(_adult, Path(file or "")),
    }
    rows = readers[source]()
    order = np.random.default_rng(seed).permutation(len(rows.targets))
    return Rows(rows.features[order], rows.targets[order], rows.names, rows.classes)


def _bundled(load: Any, *, classes: bool = True, columns: int | None = None, **how: bool) -> Rows:
    found = load(**how)
    names = tuple(str(name) for name in found.feature_names[:columns])
    features = np.asarray(found.data, dtype=np.float64)[:, :columns]
    return Rows(features, found.target, names, len(found.target_names) if classes else 0)


def _adult(path: Path) -> Rows:
    """Read ``adult.data``: numbers, and an indicator of each category."""
    if not path.is_file():
        raise ParamsError(
            f"classical_vs_deep.adult: the file must exist, got {str(path)!r}; name the path of "
            "adult.data, or null"
        )
    table = pd.read_csv(path, names=list(_ADULT_COLUMNS), skipinitialspace=True)
    income = table.pop("income")
    words = [name for at, name in enumerate(table) if at not in _ADULT_NUMBERS]
    features = pd.get_dummies(table, columns=words, dtype=float).astype(float)
    codes = (income == ">50K").to_numpy(dtype=np.int64)
    return Rows(features.to_numpy(), codes, tuple(map(str, features)), 2)
