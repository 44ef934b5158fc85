"""Restoring of logged models for MLflow: arrays in, arrays out, nothing unpickled.

``mlflow.pyfunc.load_model("models:/<id>")`` finds the name of this module in the ``MLmodel`` file,
checks what it is given against the signature there, and hands it on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline.artifacts import ModelConfig
from plumbline.errors import ArtifactError

Arrays = npt.NDArray[Any] | dict[str, npt.NDArray[Any]]


class ArrayModel:
    """A restored model that takes and gives arrays.

    Parameters
    ----------
    function : callable
        From an array for each input to an array, or a tuple of arrays. Inputs of one number a
        sample come as one array, with a column each.
    config : ModelConfig
        Names and types of its inputs and outputs.
    """

    def __init__(self, function: Callable[..., Any], config: ModelConfig) -> None:
        self._function = function
        self._config = config

    def predict(self, inputs: Any, params: Mapping[str, Any] | None = None) -> Arrays:
        """Return the outputs for a batch.

        Parameters
        ----------
        inputs : array, or mapping of arrays by input name
            First axis: samples. A single input may come as the array itself.
        params : mapping, optional
            MLflow passes it; there are none.

        Returns
        -------
        array or dict of arrays
            By output name where there are several.

        Raises
        ------
        ArtifactError
            If an input is missing.
        """
        given = self._arrays(inputs)
        if all(len(spec["shape"]) == 1 for spec in self._config.inputs):
            given = [np.column_stack(given)]
        found = self._function(*given)
        named = found if isinstance(found, tuple) else (found,)
        arrays = {
            spec["name"]: array for spec, array in zip(self._config.outputs, named, strict=False)
        }
        return next(iter(arrays.values())) if len(arrays) == 1 else arrays

    def _arrays(self, inputs: Any) -> list[npt.NDArray[Any]]:
        specs = self._config.inputs
        given = inputs if isinstance(inputs, Mapping) else {specs[0]["name"]: inputs}
        if missing := [spec["name"] for spec in specs if spec["name"] not in given]:
            raise ArtifactError(
                f"{self._config.model}: inputs must include {missing}, got {sorted(given)}"
            )
        return [
            np.ascontiguousarray(given[spec["name"]], dtype=np.dtype(spec["dtype"]))
            for spec in specs
        ]


def _load_pyfunc(path: str) -> ArrayModel:
    from plumbline.compat import torchvision

    torchvision.install()
    from plumbline.inference.scoring import array_function

    return ArrayModel(*array_function(Path(path)))
