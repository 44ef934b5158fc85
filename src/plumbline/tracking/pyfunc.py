"""What MLflow calls to restore a logged model: arrays in, arrays out, nothing unpickled.

``mlflow.pyfunc.load_model("models:/<id>")`` finds the name of this module in the ``MLmodel`` file,
checks what it is given against the signature there, and hands it on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plumbline.artifacts import ModelConfig
from plumbline.errors import ArtifactError

if TYPE_CHECKING:
    from torch import nn

Arrays = npt.NDArray[Any] | dict[str, npt.NDArray[Any]]


class ArrayModel:
    """A restored network that takes and gives arrays.

    Parameters
    ----------
    network : Module
        In evaluation mode.
    config : ModelConfig
        Names and types of its inputs and outputs.
    """

    def __init__(self, network: nn.Module, config: ModelConfig) -> None:
        self._network = network
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
        import torch

        tensors = [torch.from_numpy(array) for array in self._arrays(inputs)]
        with torch.inference_mode():
            out = self._network(*tensors)
        named = out if isinstance(out, (tuple, list)) else (out,)
        arrays = {
            spec["name"]: tensor.numpy()
            for spec, tensor in zip(self._config.outputs, named, strict=False)
            if isinstance(tensor, torch.Tensor)
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
    from plumbline.inference.restore import restore

    return ArrayModel(*restore(Path(path)))
