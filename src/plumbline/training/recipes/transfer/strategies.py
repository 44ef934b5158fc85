"""Strategies of fine-tuning: what a fit starts from, and which parts it trains in which epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from plumbline.params.regularisation import StrategyParams


@dataclass(frozen=True)
class Strategy:
    """A strategy; its schedule is a function of the epoch alone.

    Attributes
    ----------
    pretrained : bool
        Start from the weights of the backbone; otherwise from random ones.
    probe : bool
        Fit the head to the features of the frozen backbone first.
    trains : {'all', 'head', 'stages', 'gradual', 'adapters'}
        ``stages``: the head and the last stages. ``gradual``: the head, and one stage more every
        few epochs. ``adapters``: the head, and low-rank additions to the weights of all stages.
    decays : bool
        Multiply the learning rate by a factor from each part to the one before it.
    """

    pretrained: bool = True
    probe: bool = False
    trains: Literal["all", "head", "stages", "gradual", "adapters"] = "all"
    decays: bool = False


STRATEGIES = {
    "scratch": Strategy(pretrained=False),
    "linear_probe": Strategy(probe=True, trains="head"),
    "full": Strategy(probe=True),
    "fine_tune": Strategy(),
    "partial": Strategy(trains="stages"),
    "progressive": Strategy(trains="gradual"),
    "layer_decay": Strategy(decays=True),
    "adapters": Strategy(trains="adapters"),
}


def trained_parts(strategy: Strategy, settings: StrategyParams, *, epoch: int, parts: int) -> int:
    """Return how many parts are trained in an epoch, from the head on.

    Parameters
    ----------
    strategy : Strategy
    settings : StrategyParams
    epoch : int
        From 0.
    parts : int
        Of the network, see `plumbline.models.parts.parts`.
    """
    counts = {
        "all": parts,
        "head": 1,
        "adapters": 1,
        "stages": 1 + settings.stages,
        "gradual": 1 + epoch // settings.unfreeze_every,
    }
    return min(counts[strategy.trains], parts)


def learning_rate_scale(
    strategy: Strategy, settings: StrategyParams, *, backbone: float, depths: dict[str, int]
) -> Callable[[str], float]:
    """Return the factor on the learning rate by parameter name.

    Parameters
    ----------
    strategy : Strategy
    settings : StrategyParams
    backbone : float
        Factor of every pretrained parameter outside the head.
    depths : dict
        Number of the part of each parameter, see `plumbline.models.parts.depths`.
    """
    decay = settings.layer_decay if strategy.decays else 1.0
    whole = backbone if strategy.pretrained else 1.0

    def scale(name: str) -> float:
        depth = depths.get(name, 0)  # an adapter has no depth, and the rate of the head
        return whole * decay**depth if depth else 1.0

    return scale
