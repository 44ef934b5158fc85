"""The target of a declared table: a number, or the code of a class."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline.artifacts import MERGED_CLASSES
from plumbline.data.base.folders import check_spelling
from plumbline.data.base.presence import first_few
from plumbline.data.tables.columns import codes_of, places
from plumbline.data.tables.csv_files import NUMBER
from plumbline.data.tables.declaration import Declaration
from plumbline.errors import DataError

MAX_CLASSES = 1_000


def target_codes(
    column: Any, declaration: Declaration, wanted: str
) -> tuple[npt.NDArray[Any], tuple[str, ...], dict[str, Any]]:
    """Return the number or class code of each row, the classes, and facts on merged values."""
    where, name = declaration.source, declaration.target
    if wanted != "label":
        if declaration.kinds[name] != NUMBER:
            raise DataError(
                f"{where}: target {name!r} must be a number for data_tabular.target {wanted!r}, "
                f"got {declaration.kinds[name]}; set data_tabular.target to label"
            )
        numbers = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
        if not np.isfinite(numbers).all():
            raise DataError(f"{where}: target {name!r} must be finite in every row, got infinity")
        return numbers, (), {}
    codes, values = codes_of(column)
    if len(values) < 2 or len(values) > MAX_CLASSES:
        raise DataError(
            f"{where}: target {name!r} must have 2 to {MAX_CLASSES} classes, got {len(values)}; "
            "a number is predicted with data_tabular.target: value"
        )
    check_spelling(values, f"{where}: classes of {name!r}")
    if declaration.labels and (unknown := sorted(set(values) - set(declaration.labels))):
        raise DataError(
            f"{where}: target {name!r} must be one of {sorted(declaration.labels)}, got {unknown}"
        )
    classes = [declaration.labels.get(value, value) for value in values]
    order, positive = sorted(classes), declaration.positive
    if positive is not None:
        few = len(classes) == 2 or declaration.rest is not None
        if positive not in classes or not few:
            cure = "" if few else "; name all the others together in data_tabular.csv.rest"
            rule = "one of two classes" if declaration.rest is None else "a value of the target"
            raise DataError(
                f"{where}: positive must be {rule}, got {positive!r} of {first_few(order)}{cure}"
            )
        order.sort(key=lambda c: c == positive)
    if declaration.rest is None:
        return places(classes, order)[codes], tuple(order), {}
    sizes = dict(zip(classes, np.bincount(codes, minlength=len(classes)).tolist(), strict=True))
    merged = {name: sizes[name] for name in order if name != positive}
    found = np.array([name == positive for name in classes], dtype=np.int64)[codes]
    about = {"class": declaration.rest, "values": merged}
    return found, (declaration.rest, str(positive)), {MERGED_CLASSES: about}
