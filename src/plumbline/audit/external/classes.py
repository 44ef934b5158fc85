"""Labels and decisions: which texts are one class, and which class is the positive one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from plumbline.errors import DataError

_MOST_CLASSES = 200
_SHOWN = 5
# A number as people and programs write it: no leading zero, exponent, underscore or sign in front
# but a minus. 007, 1E5 and 1_0 are texts.
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_TRUTH = {"true": "1", "false": "0"}
_BINARY = frozenset(_TRUTH.values())


def common_classes(labels: Iterable[str], decisions: Iterable[str]) -> dict[str, str]:
    """Return the class of each text that occurs as a label or a decision.

    Texts are compared as they are, with two exceptions, which need every text of the label and of
    the decision:

    - Numbers, also with blanks around: ``1.0`` is 1. They are compared as decimal numbers of any
      length, never in floating point.
    - ``true`` and ``false``, in any capitals: they are 1 and 0 if both columns are such texts, or
      one is and the other holds no number but 0 and 1.

    Examples
    --------
    >>> common_classes(["1", "0"], ["1.0", "0.0"])
    {'1': '1', '0': '0', '1.0': '1', '0.0': '0'}
    >>> common_classes(["True", "False"], ["1", "0"])
    {'True': '1', 'False': '0', '1': '1', '0': '0'}
    >>> common_classes(["007", "7"], ["7"])
    {'007': '007', '7': '7'}
    """
    columns = [list(dict.fromkeys(column)) for column in (labels, decisions)]
    plain = {text: text for column in columns for text in column}
    found = [_numbers(column) or _truths(column) for column in columns]
    if not all(found):
        return plain
    boolean = [not _numbers(column) for column in columns]
    known = {text: value for column in found for text, value in column.items()}
    if any(boolean) and not set(known.values()) <= _BINARY:
        return plain
    return known


def class_of(text: str, classes: Iterable[str]) -> str:
    """Return the class that is meant by a text, by the rule of `common_classes`.

    A text that is none of them comes back as it is. Of the classes 0 and 1 ``true`` and ``1.0``
    are 1.
    """
    known = set(classes)
    if text in known:
        return text
    number, truth = _numbers([text]), _truths([text])
    if number and _numbers(known):
        return number[text]
    return truth[text] if truth and known <= _BINARY else text


def classes_of(
    labels: Sequence[str], decisions: Sequence[str], positive: str | None, *, multiclass: bool
) -> tuple[tuple[str, ...], str | None]:
    """Return the classes and the positive one, None for many classes.

    Parameters
    ----------
    labels, decisions : sequence of str
        Classes that occur, see `common_classes`; no labels where there is no truth.
    positive : str, optional
        The positive class, by default ``1``.
    multiclass : bool

    Raises
    ------
    DataError
        If there are too many classes, or ``positive`` is none of them.
    """
    label, both = sorted(set(labels)), sorted({*labels, *decisions})
    if multiclass:
        if len(both) > _MOST_CLASSES:
            raise DataError(
                f"audit: label must have at most {_MOST_CLASSES} classes, got {len(both)}"
            )
        return tuple(both), None
    known = set(_BINARY) if set(both) <= _BINARY else set(both)
    if len(known) > 2:
        if label and not set(label) & set(decisions):
            raise DataError(
                f"audit: label and decision must have the same values, got {_shown(label)} and "
                f"{_shown(sorted(set(decisions)))}; write them alike"
            )
        what = "label and decision together" if label else "decision"
        values = both
        if len(label) > 2:
            what, values = "label", label
        raise DataError(
            f"audit: {what} must have two values, got {len(values)}: {_shown(values)}; to count "
            "each class against the rest use plumbline audit --multiclass"
        )
    chosen = "1" if positive is None else class_of(positive, known)
    if chosen not in known:
        raise DataError(
            f"audit: the positive value must be one of {sorted(known)}, got "
            f"{'none' if positive is None else repr(positive)}; name it with --positive"
        )
    other = sorted(known - {chosen}) or [f"not {chosen}"]
    return (other[0], chosen), chosen


def _shown(values: Sequence[str]) -> str:
    return ", ".join(map(_visible, values[:_SHOWN])) + (", …" if len(values) > _SHOWN else "")


def _visible(text: str) -> str:
    """Return a text as it is, in quotes where blanks or control characters would hide."""
    return text if text.isprintable() and text == text.strip() and text else repr(text)


def _numbers(texts: Iterable[str]) -> dict[str, str]:
    """Return the number of each text in its shortest form, nothing if one is no number."""
    found = {}
    for text in texts:
        if not _NUMBER.fullmatch(text.strip()):
            return {}
        number = text.strip()
        if "." in number:
            number = number.rstrip("0").rstrip(".")
        found[text] = "0" if number == "-0" else number
    return found


def _truths(texts: Iterable[str]) -> dict[str, str]:
    """Return 1 or 0 for each text, nothing if one is neither true nor false."""
    found = {text: _TRUTH.get(text.strip().lower(), "") for text in texts}
    return found if all(found.values()) else {}
