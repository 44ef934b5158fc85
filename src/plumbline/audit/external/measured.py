"""From a file of predicted numbers, or of documents with their likelihoods, to statistics.

As `plumbline.audit.external.decisions`, for tables without decisions: a regression's sums of
residuals, and a language model's nats and characters of each document.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.audit.counts import RESIDUAL_POWERS, Statistics, means_to_columns
from plumbline.audit.external import relations
from plumbline.audit.external.grouped import Groups, Source, sums_of_groups
from plumbline.errors import DataError
from plumbline.metrics.groups.counting import MOST_GROUPS, codes_of
from plumbline.metrics.intervals.means import Mean, influences_to_mean
from plumbline.metrics.intervals.survey_design import Design
from plumbline.table_files.dialect import PLAIN, Dialect

# Powers of weights and residuals that the means of weighted rows need, ``w2r4`` for Σ w² r⁴.
_POWERS = {f"w2r{k}": (2, k) for k in (0, 1, 2, 4)} | {
    f"w3r{k}": (3, k) for k in (0, 1, 2, 3, 4, 6)
}


def file_to_residuals(
    path: Path, *, label: str, prediction: str, attributes: tuple[str, ...], max_order: int,
    weight: str | None = None, entity: str | None = None, memory: str = "2GB",
    dialect: Dialect = PLAIN, most: int = MOST_GROUPS,
) -> Statistics:  # fmt: skip
    """Return the sums of residuals, predicted minus true, of every group of a file.

    With ``weight`` (how many each row stands for) or ``entity`` (whose row it is) means and their
    variances instead, as `Statistics` says.

    Raises
    ------
    DataError
        As `files.file_to_contingency`; if a value is no number.
    """
    value = f"({relations.number(prediction)} - {relations.number(label)})"
    columns = {"label": label, "prediction": prediction}
    source = Source(path, memory, dialect, attributes, max_order, most)
    if weight is not None or entity is not None:
        found = _designed_groups(source, columns, value, weight, entity)
        return _designed(found, weighted=weight is not None)
    sums = {name: relations.Total(f"{value} ** {power}") for name, power in RESIDUAL_POWERS.items()}
    sums |= _label_sums(relations.number(label), "1.0")
    found, frames = sums_of_groups(source, columns, {}, sums, value), []
    for name, labels, codes, cells in found:
        summed = {
            column: _sum(codes, cells[column], len(labels)) for column in ("n", *RESIDUAL_POWERS)
        }
        frames.append(pd.DataFrame({"attribute": name, "group": labels, **summed}))
    table = pd.concat(frames, ignore_index=True).astype({"n": np.int64})
    sizes = table[["attribute", "group", "n"]]
    cells = found[0].cells
    return Statistics(
        names.REGRESSION, sizes, table, int(cells["n"].sum()), spread=_spread(cells, cells["n"])
    )


def _label_sums(label: str, weight: str) -> dict[str, relations.Total]:
    return {
        "label": relations.Total(f"{weight} * {label}"),
        "label2": relations.Total(f"{weight} * {label} ** 2"),
    }


def _spread(cells: pd.DataFrame, weight: pd.Series[float]) -> float:
    """Return the standard deviation of the labels."""
    whole = weight.sum()
    variance = cells["label2"].sum() / whole - (cells["label"].sum() / whole) ** 2
    return float(max(variance, 0.0) ** 0.5)


def file_to_documents(
    path: Path, *, nll: str, characters: str, document: str, attributes: tuple[str, ...],
    max_order: int, memory: str = "2GB", dialect: Dialect = PLAIN, most: int = MOST_GROUPS,
) -> Statistics:  # fmt: skip
    """Return nats and characters of every document of a file, by group.

    Raises
    ------
    DataError
        As `file_to_residuals`.
    """
    sums = {
        "nll": relations.Total(relations.number(nll)),
        "characters": relations.Total(relations.number(characters)),
    }
    value = f"({relations.number(nll)} + {relations.number(characters)})"
    columns = {"nll": nll, "characters": characters, "document": document}
    source = Source(path, memory, dialect, attributes, max_order, most)
    found = sums_of_groups(source, columns, {"document": relations.quoted(document)}, sums, value)
    members, frames, sizes = found[0].cells[["nll", "characters"]], [], []
    for name, labels, codes, _ in found:
        n = np.bincount(codes, minlength=len(labels))
        sizes.append(pd.DataFrame({"attribute": name, "group": labels, "n": n}))
        frames.append(members.assign(attribute=name, group=np.asarray(labels, object)[codes]))
    whole, size = (pd.concat(parts, ignore_index=True) for parts in (frames, sizes))
    return Statistics(names.LANGUAGE, size, whole, len(members))


def _designed_groups(
    source: Source, columns: dict[str, str], residual: str, weight: str | None, entity: str | None
) -> list[Groups]:
    """Return w, w·r, w·r² and `_POWERS` summed by combination (and entity), w·y, w·y²."""
    w = "1.0" if weight is None else relations.number(weight)
    powers = {name: (1, power) for name, power in (("w", 0), ("wr", 1), ("wr2", 2))}
    if entity is None:  # rows are the units: their squares cannot be had from sums over cells
        powers |= _POWERS
    sums = {
        name: relations.Total(f"({w} ** {a}) * ({residual} ** {b})")
        for name, (a, b) in powers.items()
    } | _label_sums(relations.number(columns["label"]), w)
    counts, keys, known = {}, {}, residual
    if weight is not None:
        columns, known = columns | {"weight": weight}, f"({residual} + {w})"
        counts["lowest_weight"] = f"min({w})"
    roles: dict[str, str] = {}
    if entity is not None:
        keys, roles = {"entity": relations.quoted(entity)}, {"entity": entity}
    found = sums_of_groups(source, columns, keys, sums, known, counts, roles)
    cells = found[0].cells
    if weight is not None and (low := float(cells["lowest_weight"].min())) < 0:
        raise DataError(f"audit: weight {weight!r} must be >= 0, got {low:g}")
    if entity is not None and (missing := int(cells.loc[cells["entity"].isna(), "n"].sum())):
        raise DataError(
            f"audit: entity must be known in every row of {source.path.name}, got {missing} rows "
            "without; leave them out"
        )
    return found


def _designed(groups: list[Groups], *, weighted: bool) -> Statistics:
    whole = groups[0].cells
    clustered = "entity" in whole
    units = codes_of(whole["entity"])[0].astype(np.int64) if clustered else None
    frames, shared = [], []
    for name, labels, codes, cells in groups:
        found = (
            _row_means(cells, codes, len(labels))
            if units is None
            else _entity_means(cells, codes, len(labels), units)
        )
        n = _sum(codes, cells["n"], len(labels)).astype(np.int64)
        frames.append(pd.DataFrame({"attribute": name, "group": labels, "n": n, **found}))
        if units is not None and name != names.OVERALL and names.INTERSECTION not in name:
            pairs = np.unique(np.stack([units, codes]), axis=1)
            shared += [name] if pairs.shape[1] > units.max() + 1 else []
    table = pd.concat(frames, ignore_index=True)
    sizes = table[["attribute", "group"]].assign(n=table["units"].astype(np.int64))
    return Statistics(
        names.REGRESSION, sizes, table, int(sizes["n"].iloc[0]), weighted=weighted,
        clustered=clustered, shared=tuple(shared), spread=_spread(whole, whole["w"]),
    )  # fmt: skip


def _entity_means(
    cells: pd.DataFrame, codes: npt.NDArray[np.int64], size: int, units: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray[np.float64]]:
    """Return what `Design.means` gives of the rows: of an entity it needs their sums only.

    A cell of weight W and mean Σwr/W has the influence of its rows, W·(Σwr/W - m) = Σw·(r - m).
    """
    weight = cells["w"].to_numpy(np.float64)
    design = Design(weight, units.astype(np.int64))
    found = []
    for column in ("wr", "wr2"):
        summed = cells[column].to_numpy(np.float64)
        value = np.divide(summed, weight, out=np.zeros(len(weight)), where=weight > 0)
        found.append(design.means(value, codes, size))
    return means_to_columns(*found)


def _row_means(
    cells: pd.DataFrame, codes: npt.NDArray[np.int64], size: int
) -> dict[str, npt.NDArray[np.float64]]:
    """Return what `Design.means` gives of weighted rows, from squares and cubes written out."""
    sums = {
        column: _sum(codes, cells[column], size) for column in ("n", "w", "wr", "wr2", *_POWERS)
    }
    return means_to_columns(_mean_of_powers(sums, "wr", 1), _mean_of_powers(sums, "wr2", 2))


def _mean_of_powers(sums: dict[str, npt.NDArray[np.float64]], first: str, power: int) -> Mean:
    """Return the weighted mean of residuals to a power."""
    whole = sums["w"]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, worth = sums[first] / whole, whole**2 / sums["w2r0"]
        two = [sums[f"w2r{power * k}"] for k in range(3)]
        three = [sums[f"w3r{power * k}"] for k in range(4)]
        squares = (two[2] - 2 * mean * two[1] + mean**2 * two[0]) / whole**2
        cubes = three[3] - 3 * mean * three[2] + 3 * mean**2 * three[1] - mean**3 * three[0]
        return influences_to_mean(
            mean, (np.maximum(squares, 0), cubes / whole**3), worth, sums["n"]
        )


def _sum(
    codes: npt.NDArray[np.int64], values: pd.Series[float], size: int
) -> npt.NDArray[np.float64]:
    summed = np.bincount(codes, weights=values.to_numpy(np.float64), minlength=size)
    return summed.astype(np.float64)
