"""Text of YAML 1.2, as DVC reads it: ``yes`` is text and ``1e-3`` is a number."""

from __future__ import annotations

from typing import Any

from plumbline.errors import ParamsError

# An alias stands for all that its anchor holds: a few lines can stand for more than memory holds.
LARGEST = 100_000


def parse(text: str, where: str, *, pure: bool = False) -> Any:
    """Return the content of a YAML document.

    Parameters
    ----------
    text : str
    where : str
        Begins the message of an error.
    pure : bool
        Also take what the parser of DVC refuses, such as a colon within braces.

    Raises
    ------
    ParamsError
        If the text is no YAML, a key is given twice, or the content has more than `LARGEST` values
        or is nested too deeply.
    """
    documents = parse_all(text, where, pure=pure)
    if len(documents) > 1:
        raise ParamsError(f"{where}: content must be one YAML document, got {len(documents)}")
    return documents[0] if documents else None


def parse_all(text: str, where: str, *, pure: bool = False) -> list[Any]:
    """Return the contents of all documents of a text; see `parse`."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        documents = list(YAML(typ="safe", pure=pure).load_all(text))
        size = _size(documents, {})
    except MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ParamsError(f"{where}: content must be YAML, got {line}{error.problem}") from error
    except YAMLError as error:
        said = " ".join(str(error).split())
        raise ParamsError(f"{where}: content must be YAML, got {said}") from error
    except (RecursionError, ValueError) as error:
        said = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ParamsError(f"{where}: content must be YAML, got {said}") from error
    if size > LARGEST:
        raise ParamsError(
            f"{where}: content must have at most {LARGEST:,} values, got more; an alias counts as "
            "all that it stands for"
        )
    return documents


def _size(node: Any, known: dict[int, int]) -> int:
    """Return the number of values of a node; each shared one is counted once and remembered."""
    if not isinstance(node, (dict, list)):
        return 1
    if id(node) not in known:
        known[id(node)] = LARGEST + 1  # of a node within itself
        values = node.values() if isinstance(node, dict) else node
        known[id(node)] = 1 + sum(_size(value, known) for value in values)
    return known[id(node)]
