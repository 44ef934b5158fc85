"""From a file of predicted numbers, or of documents with their likelihoods, to statistics.

As `plumbline.audit.files`, for tables without decisions: a regression's sums of residuals, and a
language model's nats and characters of each document.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.audit import reading
from plumbline.audit.counts import Statistics
from plumbline.errors import DataError
from plumbline.metrics import confusions, groups


def file_to_residuals(
    path: Path, *, label: str, prediction: str, attributes: tuple[str, ...], max_order: int,
    memory: str = "2GB",
) -> Statistics:  # fmt: skip
    """Return the sums of residuals, predicted minus true, of every group of a file.

    Raises
    ------
    DataError
        As `files.file_to_tensor`; if a value is no number.
    """
    value = f"({reading.number(prediction)} - {reading.number(label)})"
    powers = {"residual": 1, "residual2": 2, "residual4": 4}
    sums = {name: reading.Total(f"{value} ** {power}") for name, power in powers.items()}
    cells, keys = _cells(
        path, attributes, {"label": label, "prediction": prediction}, {}, sums, value, memory
    )
    frames = []
    for chosen in confusions.combinations(attributes, max_order=max_order, overall=True):
        name, labels, codes = groups.combination_groups(keys, chosen)
        summed = {column: _sum(codes, cells[column], len(labels)) for column in ("n", *powers)}
        frames.append(pd.DataFrame({"attribute": name, "group": labels, **summed}))
    table = pd.concat(frames, ignore_index=True).astype({"n": np.int64})
    sizes = table[["attribute", "group", "n"]]
    return Statistics(names.REGRESSION, sizes, table, int(cells["n"].sum()))


def file_to_documents(
    path: Path, *, nll: str, characters: str, document: str, attributes: tuple[str, ...],
    max_order: int, memory: str = "2GB",
) -> Statistics:  # fmt: skip
    """Return nats and characters of every document of a file, by group.

    Raises
    ------
    DataError
        As `file_to_residuals`.
    """
    sums = {
        "nll": reading.Total(reading.number(nll)),
        "characters": reading.Total(reading.number(characters)),
    }
    value = f"({reading.number(nll)} + {reading.number(characters)})"
    columns = {"nll": nll, "characters": characters, "document": document}
    cells, keys = _cells(
        path, attributes, columns, {"document": reading.quoted(document)}, sums, value, memory
    )
    members, frames, sizes = cells[["nll", "characters"]], [], []
    for chosen in confusions.combinations(attributes, max_order=max_order, overall=True):
        name, labels, codes = groups.combination_groups(keys, chosen)
        n = np.bincount(codes, minlength=len(labels))
        sizes.append(pd.DataFrame({"attribute": name, "group": labels, "n": n}))
        frames.append(members.assign(attribute=name, group=np.asarray(labels, object)[codes]))
    whole, size = (pd.concat(parts, ignore_index=True) for parts in (frames, sizes))
    return Statistics(names.LANGUAGE, size, whole, len(cells))


def _cells(
    path: Path,
    attributes: tuple[str, ...],
    columns: dict[str, str],
    keys: dict[str, str],
    sums: dict[str, reading.Total],
    value: str,
    memory: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the sums of every combination of keys, and its values of the attributes."""
    keys = {f"a{i}": reading.quoted(name) for i, name in enumerate(attributes)} | keys
    roles = [*columns.items(), *(("attribute", name) for name in attributes)]
    counts = {"n": "count(*)", "known": f"count({value})"}
    with (
        tempfile.TemporaryDirectory(prefix="plumbline-") as spill,
        reading.connect(spill, memory) as base,
    ):
        relation = reading.relation_of(base, path, roles)
        cells = reading.group(base, path, relation, keys, counts, sums)
    if cells.empty:
        raise DataError(f"audit: {path.name} must have rows, got a header only")
    if missing := int((cells["n"] - cells["known"]).sum()):
        raise DataError(
            f"audit: {' and '.join(columns)} of {path.name} must be numbers in every row, got "
            f"{missing} rows without; leave them out"
        )
    named = {name: cells[f"a{i}"].map(reading.attribute) for i, name in enumerate(attributes)}
    return cells, pd.DataFrame(named, index=cells.index)


def _sum(
    codes: npt.NDArray[np.int64], values: pd.Series[float], size: int
) -> npt.NDArray[np.float64]:
    summed = np.bincount(codes, weights=values.to_numpy(np.float64), minlength=size)
    return summed.astype(np.float64)
