"""Short names of the parameters that a model was trained with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plumbline.tracking.runs import flatten

_SHARED = "optimisation"  # block that networks share; a model's own block overrides it


def short_params(trained: Mapping[str, Any], prepared: Mapping[str, Any]) -> dict[str, str]:
    """Return what a model was trained with, flat and by short names.

    ``train_fnn.hidden`` is ``hidden``; ``optimisation.lr`` is ``lr``, of the model's own block if
    that sets it, else of the shared one; of ``data_<name>`` it is ``data.source``.

    Parameters
    ----------
    trained, prepared : mapping
        Parameter blocks of the stage that trained the model and of the one that made its data.

    Examples
    --------
    >>> short_params({"seed": 1, "optimisation": {"lr": 0.1, "beta2": 0.9},
    ...     "train_fnn": {"hidden": [4], "optimisation": {"lr": 0.2}}}, {"data_x": {"rows": 3}})
    {'hidden': '[4]', 'lr': '0.2', 'beta2': '0.9', 'seed': '1', 'data.rows': '3'}
    """
    own = next((b for n, b in trained.items() if is_own_block(n) and isinstance(b, Mapping)), {})
    rates = own.get(_SHARED)
    inner: dict[str, Any] = {}
    if isinstance(rates, Mapping):
        shared = trained.get(_SHARED)
        inner = {**rates, **{k: v for k, v in (shared or {}).items() if k not in rates}}
    plain = {name: value for name, value in own.items() if name != _SHARED}
    rest = {name: trained[name] for name in ("seed", "trainer") if name in trained}
    data: Any = next((b for n, b in prepared.items() if n.startswith("data_")), {})
    taken = {**inner, **plain}
    return dict(flatten({**{n: taken[n] for n in (*plain, *inner)}, **rest, "data": data or {}}))


def is_own_block(name: str) -> bool:
    """Say whether a parameter block of a training stage belongs to its model alone.

    The others are the seed, the trainer, the shared rates and the entry of the catalogue.
    """
    return name not in ("seed", "trainer", _SHARED) and "." not in name


def short_name(name: str) -> str:
    """Return the short name of a parameter from its name in ``params.yaml``.

    Examples
    --------
    >>> [short_name(name) for name in ("train_fnn.optimisation.lr", "data_text.source", "seed")]
    ['lr', 'data.source', 'seed']
    """
    block, _, rest = name.partition(".")
    if block.startswith("data_"):
        return f"data.{rest}"
    if block in ("seed", "trainer") or not rest:
        return name
    return rest.removeprefix(f"{_SHARED}.")
