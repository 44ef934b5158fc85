"""Restored models as functions, whether of scikit-learn or of torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline.artifacts import Decision, ModelConfig, decide
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


def array_function(model_folder: Path) -> tuple[Callable[..., Any], ModelConfig]:
    """Restore a model as a function from an array for each input to its outputs as arrays.

    A classifier with a threshold has its decisions, class codes ``(N,)``, as its last output.

    Parameters
    ----------
    model_folder : Path
        Of classical models of a table, of which the chosen one is restored, or of a network.

    Raises
    ------
    ArtifactError
        If a file is missing, damaged or refused.
    """
    if ModelConfig.read(model_folder).architecture == folders.ARCHITECTURE:
        fitted, config = folders.restore_model(model_folder)
        if not config.classes:
            return fitted.estimator.predict, config
        return _with_decisions(fitted.scores, config.decision()), config
    import torch

    from plumbline.inference.restore import restore

    network, config = restore(model_folder)
    decision = config.decision()

    def outputs(*arrays: npt.NDArray[Any]) -> Any:
        with torch.inference_mode():
            found = network(*(torch.tensor(array) for array in arrays))
        many = found if isinstance(found, (tuple, list)) else (found,)
        made = tuple(item for item in many if isinstance(item, torch.Tensor))
        arrays = tuple(item.numpy() for item in made)
        if decision is None:
            return arrays
        return *arrays, decide(made[0].double().softmax(dim=1).numpy(), decision)

    return outputs, config


def _with_decisions(scores: Callable[..., Any], decision: Decision | None) -> Callable[..., Any]:
    if decision is None:
        return scores

    def outputs(features: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        found = scores(features)
        return found, decide(found, decision)

    return outputs
