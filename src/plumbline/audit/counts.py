"""Sufficient statistics of every group of a predictions table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.errors import MetricError
from plumbline.metrics.groups import confusions, discrimination, rates
from plumbline.metrics.groups.contingency import ContingencyTable, table_to_contingency
from plumbline.metrics.intervals.means import Mean
from plumbline.metrics.intervals.survey_design import Design
from plumbline.metrics.scores import language

# What a regression has the means of: predicted - true, its size and its square, and predicted.
QUANTITIES = ("residual", "absolute", "square", "prediction")


@dataclass(frozen=True)
class Statistics:
    """Sufficient statistics of an audit.

    Attributes
    ----------
    kind : str
        One of `names.KINDS`.
    sizes : DataFrame
        ``attribute, group, n``: units of every group (rows; documents for text; generated images).
    table : DataFrame
        classification: `confusions.COUNT_COLUMNS`, and `confusions.DESIGN_COLUMNS` if rows are
        weighted or clustered;
        regression: ``attribute, group, n`` and the means of `QUANTITIES` by `means_to_columns`;
        language: one row per document and combination, ``attribute, group, nll, characters``;
        generator: ``attribute, group, n, agreed, reference_n``: generated images, those
        recognised as the requested class, and real images.
    total, reference_total : int
        Units in all; real images in all (generator only).
    contingency : ContingencyTable or None
        Contingency table of a classification.
    by_class : bool
        Compare the rates of each of many classes against the rest, too.
    weighted, clustered : bool
        Whether rows have weights, and whether they belong to entities, which then are the units.
    shared : tuple of str
        Attributes of which some entity has more than one value.
    spread : float
        Standard deviation of the labels of a regression, by weight; NaN of other kinds.
    """

    kind: str
    sizes: pd.DataFrame
    table: pd.DataFrame
    total: int
    reference_total: int = 0
    contingency: ContingencyTable | None = None
    by_class: bool = False
    weighted: bool = False
    clustered: bool = False
    shared: tuple[str, ...] = ()
    spread: float = float("nan")

    @property
    def calibrated(self) -> bool:
        """Are there labels, and scores that are probabilities."""
        cells = self.contingency
        return cells is not None and cells.scored and cells.labelled and cells.probabilities

    @cached_property
    def score_moments(self) -> pd.DataFrame | None:
        """What intervals of ranking and calibration come from; None without scores or labels."""
        cells = self.contingency
        if cells is None or not (cells.scored and cells.labelled):
            return None
        order = max(name.count(names.INTERSECTION) for name in self.table["attribute"]) + 1
        return discrimination.score_moments(cells, max_order=order)


def predictions_to_statistics(predictions: Predictions, *, max_order: int) -> Statistics:
    """Return the statistics of the test rows (and of a generator's reference rows) by group.

    Raises
    ------
    MetricError
        If there is no test row, or no attribute to group by.
    """
    table = predictions.table
    test = table[table["split"] == names.TEST]
    if test.empty:
        raise MetricError(f"{predictions.model}: predictions must have test rows, got none")
    if not predictions.attributes:
        raise MetricError(f"{predictions.model}: predictions must have an attribute, got none")
    if predictions.kind == names.CLASSIFICATION:
        return contingency_to_statistics(
            predictions_to_contingency(predictions), max_order=max_order
        )
    if predictions.kind == names.REGRESSION:
        return _regression(predictions, test, max_order)
    if predictions.kind == names.LANGUAGE:
        return _language(predictions, test, max_order)
    reference = table[table["split"] == names.REFERENCE]
    return _generator(predictions, test, reference, max_order)


def generator_combinations(predictions: Predictions, *, max_order: int) -> list[tuple[str, ...]]:
    """Return the groupings of a generator: recognised class, attributes, intersections."""
    everyone, *attributes = _combinations(predictions, max_order)
    return [everyone, (names.SEEN_CLASS,), *attributes]


def with_seen_class(table: pd.DataFrame, predictions: Predictions) -> pd.DataFrame:
    """Return the table with the name of the class that the extractor sees as an attribute."""
    classes = np.asarray(predictions.classes, dtype=object)
    return table.assign(**{names.SEEN_CLASS: classes[table["y_pred"].to_numpy()]})


def _combinations(predictions: Predictions, max_order: int) -> list[tuple[str, ...]]:
    return confusions.combinations(predictions.attributes, max_order=max_order, overall=True)


def contingency_to_statistics(
    contingency: ContingencyTable, *, max_order: int, by_class: bool = False
) -> Statistics:
    """Return the statistics of counted decisions; the units of clustered rows are entities."""
    counts = confusions.contingency_to_counts(contingency, max_order=max_order, overall=True)
    sizes = counts.drop_duplicates(["attribute", "group"])
    n = sizes["units"].astype(np.int64) if contingency.clustered else sizes["n"]
    sizes = sizes[["attribute", "group"]].assign(n=n).reset_index(drop=True)
    total = int(sizes["n"].iloc[0])
    return Statistics(
        names.CLASSIFICATION,
        sizes,
        counts,
        total,
        contingency=contingency,
        by_class=by_class,
        weighted=contingency.weighted,
        clustered=contingency.clustered,
        shared=shared_entities(contingency),
    )


def shared_entities(contingency: ContingencyTable) -> tuple[str, ...]:
    """Return the attributes of which some entity has more than one value."""
    if not contingency.clustered:
        return ()
    return tuple(
        attribute
        for place, attribute in enumerate(contingency.attributes)
        if _several(contingency.cluster, contingency.codes[:, place])
    )


def _several(entity: npt.NDArray[np.int64], codes: npt.NDArray[np.int64]) -> bool:
    pairs = np.unique(entity * (int(codes.max(initial=0)) + 1) + codes)
    return len(pairs) > len(np.unique(entity))


def predictions_to_contingency(predictions: Predictions) -> ContingencyTable:
    """Return the contingency table of the test rows of a classification."""
    rows = (predictions.table["split"] == names.TEST).to_numpy()
    test = predictions.table[rows]
    score = f"score_{predictions.positive}" if predictions.positive is not None else None
    return table_to_contingency(
        test,
        attributes=predictions.attributes,
        classes=predictions.classes,
        positive=predictions.positive,
        score=None if score is None else test[score],
        weight=predictions.weights(rows),
        entity=predictions.entities(rows),
    )


def _regression(predictions: Predictions, test: pd.DataFrame, max_order: int) -> Statistics:
    residual = (test["y_pred"] - test["y_true"]).to_numpy(np.float64)
    rows = (predictions.table["split"] == names.TEST).to_numpy()
    design = Design.of(predictions.weights(rows), predictions.entities(rows))
    values = (residual, np.abs(residual), residual**2, test["y_pred"].to_numpy(np.float64))
    frames, shared = [], []
    for chosen in _combinations(predictions, max_order):
        name, labels, codes = rates.combination_groups(test, chosen)
        means = {
            quantity: design.means(own, codes, len(labels))
            for quantity, own in zip(QUANTITIES, values, strict=True)
        }
        n = np.bincount(codes, minlength=len(labels))
        columns = means_to_columns(means)
        frames.append(pd.DataFrame({"attribute": name, "group": labels, "n": n, **columns}))
        if len(chosen) == 1 and design.entity is not None and _several(design.entity, codes):
            shared.append(name)
    table = pd.concat(frames, ignore_index=True)
    sizes = table[["attribute", "group"]].assign(n=table["units"].astype(np.int64))
    return Statistics(
        names.REGRESSION,
        sizes,
        table,
        int(sizes["n"].iloc[0]),
        weighted=design.weight is not None,
        clustered=design.entity is not None,
        shared=tuple(shared),
        spread=_spread(test, design.weight),
    )


def _spread(test: pd.DataFrame, weight: npt.NDArray[np.float64] | None = None) -> float:
    label = test["y_true"].to_numpy(np.float64)
    return float(
        np.average((label - np.average(label, weights=weight)) ** 2, weights=weight) ** 0.5
    )


def means_to_columns(means: Mapping[str, Mean]) -> dict[str, npt.NDArray[Any]]:
    """Return means of the same rows as columns; `columns_to_mean` is the inverse.

    ``units`` and ``worth`` are those of all; a mean has its name, ``<name>_variance`` and
    ``<name>_asymmetry``.
    """
    found: dict[str, npt.NDArray[Any]] = {}
    for name, mean in means.items():
        found |= {"units": mean.units, "worth": mean.worth, name: mean.value}
        found |= {f"{name}_variance": mean.variance, f"{name}_asymmetry": mean.asymmetry}
    return found


def columns_to_mean(table: pd.DataFrame, name: str) -> Mean:
    """Return the means of a quantity from the columns that `means_to_columns` gives."""
    columns = (name, f"{name}_variance", f"{name}_asymmetry", "units", "worth")
    return Mean(*(table[column].to_numpy(np.float64) for column in columns))


def _language(predictions: Predictions, test: pd.DataFrame, max_order: int) -> Statistics:
    documents = language.blocks_to_documents(test["document_id"], test["nll"], test["characters"])
    kept = test.drop_duplicates("document_id")[["document_id", *predictions.attributes]]
    documents = documents.merge(kept, on="document_id", validate="one_to_one")
    frames, sizes = [], []
    for chosen in _combinations(predictions, max_order):
        name, labels, codes = rates.combination_groups(documents, chosen)
        n = np.bincount(codes, minlength=len(labels))
        sizes.append(pd.DataFrame({"attribute": name, "group": labels, "n": n}))
        members = documents[["nll", "characters"]]
        frames.append(members.assign(attribute=name, group=np.asarray(labels, object)[codes]))
    return Statistics(
        names.LANGUAGE,
        pd.concat(sizes, ignore_index=True),
        pd.concat(frames, ignore_index=True),
        len(documents),
    )


def _generator(
    predictions: Predictions, test: pd.DataFrame, reference: pd.DataFrame, max_order: int
) -> Statistics:
    if reference.empty:
        raise MetricError(
            f"{predictions.model}: predictions must have rows of split {names.REFERENCE!r}, got "
            "none; a generator is compared with real images"
        )
    both = with_seen_class(pd.concat([test, reference], ignore_index=True), predictions)
    made = np.arange(len(both)) < len(test)
    agreed = made & (both["y_true"] == both["y_pred"]).to_numpy()
    frames = []
    for chosen in generator_combinations(predictions, max_order=max_order):
        name, labels, codes = rates.combination_groups(both, chosen)
        counted = {
            column: np.bincount(codes[rows], minlength=len(labels))
            for column, rows in (("n", made), ("agreed", agreed), ("reference_n", ~made))
        }
        frames.append(pd.DataFrame({"attribute": name, "group": labels, **counted}))
    table = pd.concat(frames, ignore_index=True)
    sizes = table[["attribute", "group"]].assign(n=table["n"] + table["reference_n"])
    return Statistics(names.GENERATOR, sizes, table, len(both), len(reference))
