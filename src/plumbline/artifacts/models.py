"""Models: weights as safetensors, and the configuration that restores a network as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.artifacts.decisions import Decision
from plumbline.artifacts.files import atomic, dataclass_from_json, existing, write_json
from plumbline.errors import ArtifactError

if TYPE_CHECKING:
    import numpy.typing as npt


SIDECAR = "prepared"  # folder beside the files of a logged model: the encoding of its data


@dataclass(frozen=True)
class ModelConfig:
    """The configuration that restores a model together with its weights.

    Attributes
    ----------
    model : str
        Name of the model, one of `catalog.models`.
    architecture : str
        Key of `plumbline.models.build`.
    arguments : dict
        Keyword arguments of the architecture.
    kind : str
        Kind of its predictions table, one of `names.KINDS`.
    dataset, source : str
        Prepared data set it was trained on, and that set's source.
    classes : tuple of str
        Class names in the order of the outputs.
    inputs, outputs : list of dict
        Signature: ``{"name", "dtype", "shape"}`` each, -1 for a free axis.
    parameters : int
        Number of trainable parameters.
    facts : dict
        Results of training, e.g. best epoch and steps; nothing that varies between equal runs.
    """

    model: str
    architecture: str
    arguments: dict[str, Any]
    kind: str
    dataset: str
    source: str
    classes: tuple[str, ...] = ()
    inputs: tuple[dict[str, Any], ...] = ()
    outputs: tuple[dict[str, Any], ...] = ()
    parameters: int = 0
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def weights_file(self) -> str:
        """Name of the file of the weights, or of the chosen one of several classical models."""
        chosen = self.arguments.get("chosen")
        return "model.safetensors" if chosen is None else f"{chosen}.skops"

    def decision(self, model: str | None = None) -> Decision | None:
        """Return the threshold of the model, None where the most probable class is decided.

        Parameters
        ----------
        model : str, optional
            One of several classical models; by default the chosen one.

        Raises
        ------
        ArtifactError
            If what the config holds is no decision.
        """
        raw = self.facts.get("decision")
        if isinstance(raw, dict) and "models" in self.arguments:
            raw = raw.get(model or self.arguments["chosen"])
        return None if raw is None else Decision.parse(raw, f"{self.model}/config.json")

    @classmethod
    def read(cls, folder: Path) -> ModelConfig:
        """Read ``config.json`` of a model folder."""
        config: ModelConfig = dataclass_from_json(cls, folder / "config.json")
        return config


def save_model(folder: Path, weights: Mapping[str, Any], config: ModelConfig) -> None:
    """Write weights (torch tensors or arrays) and config."""
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(folder / "model.safetensors", weights)
    write_json(folder / "config.json", config)


def write_weights(path: Path, weights: Mapping[str, Any]) -> None:
    """Write torch tensors or arrays as safetensors.

    The file carries no metadata: with two or more keys its bytes are not stable.
    """
    import numpy as np
    from safetensors.numpy import save_file

    arrays = {
        name: np.ascontiguousarray(w.detach().cpu().numpy() if hasattr(w, "detach") else w)
        for name, w in weights.items()
    }
    with atomic(path) as temporary:
        save_file(arrays, temporary)


def load_weights(folder: Path) -> dict[str, npt.NDArray[Any]]:
    """Read the weights of a model folder as arrays."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = existing(folder / "model.safetensors")
    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise ArtifactError(f"{path.name}: content must be safetensors, got {error}") from error
    except (
        AttributeError,
        KeyError,
        TypeError,
    ) as error:  # the type of a tensor that NumPy does not have
        raise ArtifactError(
            f"{path.name}: tensors must be of a type that NumPy has, such as float32, got {error}; "
            "convert them"
        ) from error
