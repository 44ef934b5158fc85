"""Names of the attributes of a data set."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from plumbline import names
from plumbline.errors import DataError


def check_names(attributes: Iterable[str], classes: Collection[str], *, where: str) -> None:
    """Refuse attributes whose names mean something else; see `names.is_taken`.

    Raises
    ------
    DataError
        With the first of them.
    """
    for name in attributes:
        if names.is_taken(name, classes):
            raise DataError(
                f"{where}: an attribute must not be named {name!r}, which has a meaning of its own "
                "in prepared data, predictions or audits; rename the column"
            )
