"""Restored models as functions, whether of scikit-learn or of torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline.artifacts import ModelConfig
from plumbline.classical import folders
from plumbline.inference.tables import table_features

Scorer = Callable[[pd.DataFrame], npt.NDArray[np.float64]]


def scorer(model_folder: Path) -> Scorer:
    """Restore a classifier of a table and return its function from rows to probabilities.

    Parameters
    ----------
    model_folder : Path
        Of classical models, of which the chosen one is restored, or of a network.

    Returns
    -------
    callable
        From a table with the features of the model to ``(N, K)``; an `ArtifactError` if it lacks
        one.

    Raises
    ------
    ArtifactError
        If a file is missing, damaged or refused.
    """
    if ModelConfig.read(model_folder).architecture == folders.ARCHITECTURE:
        fitted, config = folders.restore_model(model_folder)
        return lambda table: fitted.scores(table_features(config, table))
    from plumbline.inference.classify import class_probabilities
    from plumbline.inference.restore import restore

    network, config = restore(model_folder)
    return lambda table: class_probabilities(network, config, table)
