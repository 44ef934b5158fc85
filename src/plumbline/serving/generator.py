"""The generator of images on requested classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from plumbline.artifacts import ModelConfig
from plumbline.errors import DataError
from plumbline.inference.generate import Images, restore_generator, sample
from plumbline.models.gan import Generator
from plumbline.serving.interface import CLASS, IMAGE, Interface, interface


@dataclass(frozen=True)
class GeneratorPredictor:
    """A generator: a picture for each requested class.

    Row ``i`` of equal seeds has the same latent numbers, however many rows there are.

    Attributes
    ----------
    config : ModelConfig
    interface : Interface
    network : Generator
    """

    config: ModelConfig
    interface: Interface
    network: Generator

    @classmethod
    def restore(cls, model_folder: Path, prepared: Path) -> Self:
        """Restore the generator.

        Raises
        ------
        ArtifactError
            If a file is missing or damaged, or the folder holds another model.
        """
        network, config = restore_generator(model_folder)
        return cls(config, interface(config, prepared), network)

    def predict(self, samples: Mapping[str, Any], *, seed: int = 0) -> pd.DataFrame:
        """Return the pictures as nested lists ``(H, W)`` or ``(H, W, C)`` of grey levels."""
        self.interface.check(samples)
        wanted = list(samples[CLASS])
        images = self.images(wanted, seed=seed)
        shaped = images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1)
        return pd.DataFrame({CLASS: wanted, IMAGE: shaped.tolist()})

    def images(self, classes: list[Any], *, seed: int) -> Images:
        """Return the pictures as uint8 ``(N, C, S, S)``.

        Raises
        ------
        DataError
            If there is no such class, or the seed is negative.
        """
        place = {name: code for code, name in enumerate(self.config.classes)}
        if wrong := [name for name in classes if not isinstance(name, str) or name not in place]:
            raise DataError(
                f"{self.config.model}: class must be one of {', '.join(place)}, got {wrong[0]!r}"
            )
        if seed < 0:
            raise DataError(f"{self.config.model}: seed must be >= 0, got {seed}")
        labels = np.array([place[name] for name in classes], dtype=np.int64)
        return sample(self.network, labels, seed=seed)
