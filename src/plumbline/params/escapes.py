r"""Text of the parameters that ``dvc exp run -S`` leaves as it is.

With ``-S``, DVC gives all values to OmegaConf, which takes ``${name}`` for a reference to another
value and ``???`` for one that is missing: it replaces the first, or stops. Within the parameter
files ``$\{`` therefore stands for ``${`` and ``\???`` for ``???``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

_REFERENCE, _MISSING = "${", "???"
_ESCAPED_REFERENCE, _ESCAPED_MISSING = "$\\{", "\\???"


def escaped(text: str) -> str:
    """Return a text as it must stand in a parameter file; an escaped one stays as it is."""
    if text == _MISSING:
        return _ESCAPED_MISSING
    return text.replace(_REFERENCE, _ESCAPED_REFERENCE)


def unescaped(text: str) -> str:
    """Return the text that a text of a parameter file stands for."""
    if text == _ESCAPED_MISSING:
        return _MISSING
    return text.replace(_ESCAPED_REFERENCE, _REFERENCE)


def changed(node: Any, change: Callable[[str], str]) -> Any:
    """Return a value of YAML with every text changed; keys stay, as OmegaConf leaves them."""
    if isinstance(node, dict):
        return {key: changed(value, change) for key, value in node.items()}
    if isinstance(node, list):
        return [changed(value, change) for value in node]
    return change(node) if isinstance(node, str) else node


def faults(node: Any, place: str = "") -> Iterator[str]:
    """Yield what is wrong with each text that OmegaConf would take for something else."""
    if isinstance(node, dict | list):
        parts = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in parts:
            yield from faults(value, f"{place}.{key}" if place else str(key))
    elif isinstance(node, str) and (right := escaped(node)) != node:
        taken = "another value" if _REFERENCE in node else "a missing value"
        yield (
            f"{place} must not be what dvc exp run -S takes for {taken}, got {node!r}; write "
            f"'{right.replace(chr(39), 2 * chr(39))}', which stands for it"
        )
