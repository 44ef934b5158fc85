"""What explanations of all kinds of models share: names of methods, explained outputs, results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

INTEGRATED_GRADIENTS, GRAD_CAM, OCCLUSION = "integrated_gradients", "grad_cam", "occlusion"


class Block(NamedTuple):
    """Attributions of a few samples.

    Attributes
    ----------
    values : list of arrays
        Of each sample, in units of the explained output.
    gap : array, (n,)
        Completeness gap; NaN for methods that have none.
    classes : list of str
        The explained class of each sample; empty text of a regression.
    probabilities : array, (n,)
        What the model gives to that class; NaN of a regression.
    outputs : array, (n,)
        The explained output.
    texts : list of str
        The characters that the values belong to; empty unless the samples are texts.
    """

    values: Sequence[npt.NDArray[Any]]
    gap: npt.NDArray[np.float64]
    classes: list[str]
    probabilities: npt.NDArray[np.float64]
    outputs: npt.NDArray[np.float64]
    texts: Sequence[str] = ()


class Subject(Protocol):
    """A restored model and the samples to explain; ``methods`` begins with the default."""

    @property
    def kind(self) -> str:
        """One of `names.TABULAR`, `names.IMAGES`, `names.TEXT`."""

    @property
    def ids(self) -> list[str]:
        """Name of each sample."""

    @property
    def true(self) -> list[str]:
        """The true class of each sample; empty where it is not known."""

    def with_samples(self, ids: list[str], values: Any) -> Subject:
        """Return the same model with other samples: features, pixels or texts."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods that the model can be explained with."""

    @property
    def block(self) -> int:
        """Samples between two looks at the clock."""

    @property
    def baseline_name(self) -> str:
        """What attributions start from."""

    def output(self, method: str) -> str:
        """Name the explained output."""

    def explain(self, rows: Any, *, method: str, nodes: int | None) -> Block:
        """Explain the samples with these numbers."""


def explained_codes(outputs: Tensor, classes: Sequence[str], of: str | None) -> Tensor:
    """Return the code of the explained class of each sample: the named one, or the predicted."""
    if of is None:
        return outputs.argmax(dim=1)
    return torch.full((len(outputs),), list(classes).index(of))


def log_odds(logits: Tensor, codes: Tensor) -> Tensor:
    """Return the log-odds of a class against all others: ``(N, K), (N,)`` → ``(N,)``."""
    own = torch.nn.functional.one_hot(codes, logits.shape[1]).bool()
    return logits.masked_fill(~own, 0.0).sum(dim=1) - logits.masked_fill(own, -torch.inf).logsumexp(
        dim=1
    )
