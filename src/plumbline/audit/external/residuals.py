"""From a file of predicted numbers to the means of residuals by group, by DuckDB.

A sum of squares cancels where values are far from 0 and close together. So values are summed as
their distances from the lowest of their combination of attributes, and a group's moments about its
mean follow from those of its combinations.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.audit.counts import QUANTITIES, Statistics, means_to_columns
from plumbline.audit.external import relations
from plumbline.audit.external.grouped import LOWEST, Groups, Source, sums_of_groups
from plumbline.errors import DataError
from plumbline.metrics.groups.counting import MOST_GROUPS, codes_of
from plumbline.metrics.intervals.means import Mean, influences_to_mean
from plumbline.metrics.intervals.survey_design import Design
from plumbline.table_files.dialect import PLAIN, Dialect

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Powers of weights w and of distances d of which rows need the sums, as Σ w² d.
_POWERS = ((1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3))
_LABEL, _LABEL_POWERS = "label", ((1, 1), (1, 2))


def file_to_residuals(
    path: Path, *, label: str, prediction: str, attributes: tuple[str, ...], max_order: int,
    weight: str | None = None, entity: str | None = None, memory: str = "2GB",
    dialect: Dialect = PLAIN, most: int = MOST_GROUPS,
) -> Statistics:  # fmt: skip
    """Return the means of residuals, predicted minus true, and of predictions by group of a file.

    Parameters
    ----------
    path : Path
    label, prediction : str
        Columns of numbers.
    attributes : tuple of str
    max_order : int
        Largest number of attributes that are crossed.
    weight, entity : str, optional
        Columns of how many each row stands for, and of whose row it is.
    memory : str
        What DuckDB may use before it writes to a temporary folder.
    dialect : Dialect
        How a CSV is written.
    most : int
        Largest number of groups of a combination, see `grouping.combined`.

    Raises
    ------
    DataError
        As `decisions.file_to_contingency`; if a value is no number.
    """
    source = Source(path, memory, dialect, attributes, max_order, most)
    predicted, true = map(relations.number, (prediction, label))
    residual = f"({predicted} - {true})"
    values = (residual, f"abs({residual})", f"({residual} * {residual})", predicted)
    quantities = {**dict(zip(QUANTITIES, values, strict=True)), _LABEL: true}
    columns, counts, known = {"label": label, "prediction": prediction}, {}, residual
    if weight is not None:
        w = relations.number(weight)
        columns, known = columns | {"weight": weight}, f"({residual} + {w})"
        counts["lowest_weight"] = f"min({w})"
    keys = {} if entity is None else {"entity": relations.quoted(entity)}
    others = {} if entity is None else {"entity": entity}
    wanted = _sums(quantities, weight, _POWERS if entity is None else _POWERS[:1])
    # Without weights many of the sums are one.
    place = {sql: f"sum{i}" for i, sql in enumerate(dict.fromkeys(wanted.values()))}
    totals = {name: relations.Total(sql) for sql, name in place.items()}
    groups = [
        one._replace(cells=one.cells.assign(**{n: one.cells[place[q]] for n, q in wanted.items()}))
        for one in sums_of_groups(source, columns, keys, totals, known, counts, others, quantities)
    ]
    _check(path, groups[0].cells, weight, entity)
    return _statistics(groups, weighted=weight is not None)


def _sums(
    quantities: dict[str, str], weight: str | None, powers: tuple[tuple[int, int], ...]
) -> dict[str, str]:
    """Return the SQL of what is summed, by name: ``w2``, and ``residual21`` for w² d."""

    def product(weights: int, distance: str, distances: int) -> str:
        w = [] if weight is None else [relations.number(weight)]
        return " * ".join([*w * weights, *[distance] * distances]) or "1.0"

    found = {f"w{a}": product(a, "", 0) for a in (1, 2, 3)}
    for name, sql in quantities.items():
        for a, b in _LABEL_POWERS if name == _LABEL else powers:
            found[f"{name}{a}{b}"] = product(a, f"({sql} - {LOWEST}{name})", b)
    return found


def _check(path: Path, cells: pd.DataFrame, weight: str | None, entity: str | None) -> None:
    if weight is not None and (low := float(cells["lowest_weight"].min())) < 0:
        raise DataError(f"audit: weight {weight!r} must be >= 0, got {low:g}")
    if entity is not None and (missing := int(cells.loc[cells["entity"].isna(), "n"].sum())):
        raise DataError(
            f"audit: entity must be known in every row of {path.name}, got {missing} rows "
            "without; leave them out"
        )


def _statistics(groups: list[Groups], *, weighted: bool) -> Statistics:
    whole = groups[0].cells
    clustered = "entity" in whole
    units = codes_of(whole["entity"])[0].astype(np.int64) if clustered else None
    frames, shared = [], []
    for name, labels, codes, cells in groups:
        size = len(labels)
        means = {quantity: _mean(cells, quantity, codes, size, units) for quantity in QUANTITIES}
        n = _sum(codes, cells["n"].to_numpy(np.float64), size).astype(np.int64)
        columns = means_to_columns(means)
        frames.append(pd.DataFrame({"attribute": name, "group": labels, "n": n, **columns}))
        if units is not None and name != names.OVERALL and names.INTERSECTION not in name:
            pairs = np.unique(np.stack([units, codes]), axis=1)
            shared += [name] if pairs.shape[1] > units.max() + 1 else []
    table = pd.concat(frames, ignore_index=True)
    sizes = table[["attribute", "group"]].assign(n=table["units"].astype(np.int64))
    return Statistics(
        names.REGRESSION, sizes, table, int(sizes["n"].iloc[0]), weighted=weighted,
        clustered=clustered, shared=tuple(shared), spread=_spread(whole),
    )  # fmt: skip


def _mean(
    cells: pd.DataFrame, quantity: str, codes: Integers, size: int, units: Integers | None
) -> Mean:
    """Return what `Design.means` gives of the rows of each group.

    Of an entity it needs the sums only: a cell of weight W and mean Σwx/W has the influence of its
    rows, W·(Σwx/W - m) = Σw·(x - m).
    """
    w1, w2, w3, low = (
        cells[name].to_numpy(np.float64) for name in ("w1", "w2", "w3", f"{LOWEST}{quantity}")
    )
    first = cells[f"{quantity}11"].to_numpy(np.float64)
    if units is not None:
        value = low + np.divide(first, w1, out=np.zeros(len(w1)), where=w1 > 0)
        return Design(w1, units).means(value, codes, size)
    d21, d22, d31, d32, d33 = (
        cells[f"{quantity}{a}{b}"].to_numpy(np.float64) for a, b in _POWERS[1:]
    )
    whole = _sum(codes, w1, size)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = _sum(codes, w1 * low + first, size) / whole
        worth = whole**2 / _sum(codes, w2, size)
        off = np.nan_to_num(low - mean[codes])  # of a group without weight
        squares = _sum(codes, d22 + 2 * off * d21 + off**2 * w2, size)
        cubes = _sum(codes, d33 + 3 * off * d32 + 3 * off**2 * d31 + off**3 * w3, size)
        powers = np.maximum(squares, 0) / whole**2, cubes / whole**3
    rows = _sum(codes, cells["n"].to_numpy(np.float64), size)
    return influences_to_mean(mean, powers, worth, rows)


def _spread(cells: pd.DataFrame) -> float:
    """Return the standard deviation of the labels."""
    weight, low, first, second = (
        cells[name].to_numpy(np.float64)
        for name in ("w1", f"{LOWEST}{_LABEL}", f"{_LABEL}11", f"{_LABEL}12")
    )
    if not (whole := weight.sum()) > 0:
        return float("nan")
    off = low - (weight @ low + first.sum()) / whole
    variance = float((second + 2 * off * first + off**2 * weight).sum()) / whole
    return float(np.sqrt(max(variance, 0.0)))


def _sum(codes: Integers, values: Floats, size: int) -> Floats:
    return np.bincount(codes, weights=values, minlength=size).astype(np.float64)
