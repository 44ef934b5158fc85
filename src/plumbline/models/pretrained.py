"""Pretrained weights: checked, read without unpickling anything, and loaded into timm's network."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from plumbline import artifacts
from plumbline.compat import torchvision
from plumbline.errors import ArtifactError

WHERE = "finetune.backbone"


@dataclass(frozen=True)
class Pretrained:
    """Pretrained weights that are not read yet.

    Attributes
    ----------
    source : str
        As `plumbline.models.sources.find` takes it.
    origin : str
        Where the file comes from, in words.
    architecture : str
        timm's name.
    weights : Path
        May be missing: `sha256` and `network` then raise.
    expected : str
        The digest that the file must have; empty if none is given.
    licence : str or None
        None where the source does not state it.
    config : mapping
        What differs from timm's configuration of the architecture's pretrained weights.
    by_order : bool
        Whether tensors have other names than timm's, in the same order.
    """

    source: str
    origin: str
    architecture: str
    weights: Path
    expected: str = ""
    licence: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    by_order: bool = False

    def sha256(self) -> str:
        """Return the digest of the weights.

        Raises
        ------
        ArtifactError
            If the file is missing, or has another digest than it must have.
        """
        if not self.weights.is_file():
            raise ArtifactError(
                f"{WHERE}: weights must be a file, got none at {self.weights.as_posix()}; run the "
                "stage pretrain, or correct the source"
            )
        found = artifacts.digest(self.weights)
        if self.expected and found != self.expected:
            raise ArtifactError(
                f"{WHERE}: weights of {self.source.partition('?')[0]} must have the sha256 "
                f"{self.expected}, got {found}; get the file again, or state its own digest if you "
                "trust it"
            )
        return found

    def facts(self) -> dict[str, Any]:
        """Return source, origin, licence and digest, for a model's config."""
        return {
            "source": self.source.partition("?")[0],
            "origin": self.origin,
            "architecture": self.architecture,
            "licence": self.licence,
            "sha256": self.sha256(),
        }

    def network(self, *, outputs: int, channels: int, keep_head: bool, **options: Any) -> Any:
        """Return timm's network with these weights.

        Parameters
        ----------
        outputs, channels : int
            timm adapts the first layer to the channels.
        keep_head : bool
            Keep the head of the pretraining; otherwise a new one is drawn.
        **options
            Further arguments of ``timm.create_model``.

        Raises
        ------
        ArtifactError
            See `sha256`; if the file is not of tensors alone, or not of this architecture.
        ValueError
            If the head is kept, and has other outputs.
        """
        self.sha256()
        weights = self._tensors()
        config = self._config()
        self._check(weights, config, **options)
        if keep_head and config["num_classes"] != outputs:
            raise ValueError(
                f"models.pretrained: outputs must be {config['num_classes']} with keep_head, got "
                f"{outputs}"
            )
        if not keep_head:
            config["num_classes"] = -1  # differs from every number: timm leaves the head out
        return import_timm().create_model(
            self.architecture,
            pretrained=True,
            pretrained_cfg=config | {"state_dict": weights},
            num_classes=outputs,
            in_chans=channels,
            **options,
        )

    def _check(
        self, weights: Mapping[str, Tensor], config: Mapping[str, Any], **options: Any
    ) -> None:
        # With another head timm only logs which tensors are missing; with the same one it raises.
        head = weights.get(f"{config['classifier']}.weight")
        own = dict(config) if head is None else {**config, "num_classes": len(head)}
        try:
            _without_memory(
                self.architecture,
                pretrained=True,
                pretrained_cfg={**own, "state_dict": dict(weights)},
                num_classes=own["num_classes"],
                in_chans=own["input_size"][0],
                **options,
            )
        except RuntimeError as error:
            raise self._misfit(" ".join(str(error).split())[:200]) from error

    def _tensors(self) -> dict[str, Tensor]:
        if self.weights.suffix == ".safetensors":
            weights = load_file(self.weights)
        else:
            try:
                weights = torch.load(self.weights, map_location="cpu", weights_only=True)
            except Exception as error:  # pickle and torch raise many kinds
                raise ArtifactError(
                    f"{WHERE}: weights must be a file of tensors alone, got "
                    f"{self.weights.as_posix()}, which asks to be unpickled; save its state dict "
                    "as safetensors"
                ) from error
        if not self.by_order:
            return dict(weights)
        like = _without_memory(self.architecture).state_dict()
        shapes = [[list(value.shape) for value in part.values()] for part in (weights, like)]
        if shapes[0] != shapes[1]:
            raise self._misfit("tensors of other shapes")
        return dict(zip(like, weights.values(), strict=True))

    def statistics(self) -> tuple[Sequence[float], Sequence[float]]:
        """Return mean and deviation of the pixels by channel, in units of the full range."""
        config = self._config()
        return config["mean"], config["std"]

    def _config(self) -> dict[str, Any]:
        found = import_timm().models.get_pretrained_cfg(self.architecture)
        return {**found.to_dict(remove_source=True), **self.config}

    def _misfit(self, got: str) -> ArtifactError:
        return ArtifactError(
            f"{WHERE}: weights of {self.source.partition('?')[0]} must fit timm's "
            f"{self.architecture}, got {got}; name the architecture that they are of"
        )


def _without_memory(architecture: str, **options: Any) -> Any:
    with torch.device("meta"), warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.filterwarnings("ignore", message="for .*: copying from a non-meta parameter")
        return import_timm().create_model(architecture, **options)


def import_timm() -> Any:
    """Return timm, imported without torchvision's operators, which it does not need."""
    torchvision.install()
    import timm

    return timm
