"""Differences of two models on the same test rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.metrics.comparison.delong import Areas, interval, two_areas
from plumbline.metrics.comparison.differences import predictions_to_comparison
from plumbline.metrics.comparison.paired_shares import paired_share_difference, tango
from plumbline.metrics.estimates import MetricOptions
from plumbline.metrics.intervals.survey_design import Design

from .entries import CONFIDENCE, cell, table

SIZES = (50, 89, 200, 1000)
DRAWS, AREA_DRAWS, REPLICATES = 400, 300, 400
TRUTH_ROWS = 400_000
OF_DECISIONS_AND_LOSSES = (names.BALANCED_ACCURACY, names.F1_MACRO, names.BRIER, names.LOG_LOSS)

Draw = Callable[[np.random.Generator, int], list[Predictions]]


def tables() -> list[str]:
    return [
        "## Differences of two models on the same rows",
        accuracy_table(),
        weighted_accuracy_table(),
        area_table(),
        other_table(),
        verdict_table(),
    ]


def accuracy_table() -> str:
    """Enumerate the rows that the first model alone, and the second alone, gets right."""
    from scipy.stats import binom

    cases = ((0.02, 0.02), (0.05, 0.05), (0.1, 0.05), (0.2, 0.05), (0.15, 0.15))
    rows = []
    for n in SIZES:
        held = np.zeros(len(cases))
        for number, (first, second) in enumerate(cases):
            for apart in range(n + 1):
                if (likely := binom.pmf(apart, n, first + second)) < 1e-6:
                    continue
                for one in range(apart + 1):
                    low, high = tango(one, apart - one, n, confidence=CONFIDENCE)
                    if low <= first - second <= high:
                        held[number] += likely * binom.pmf(one, apart, first / (first + second))
        rows.append([f"{n:,}", *(cell(100 * one) for one in held)])
    header = ["rows", *(f"{first:g}, {second:g}" for first, second in cases)]
    words = (
        "Accuracy, by the shares of rows that the first model alone and the second alone gets "
        "right. With one row apart or two, 50 rows cannot tell a narrower interval."
    )
    return f"{words}\n\n{table(header, rows)}"


def weighted_accuracy_table() -> str:
    """Draw rows with lognormal weights that one model alone gets right."""
    cases = (0.02, 0.05, 0.1, 0.3)
    rows = []
    for n in SIZES:
        entries = []
        for first in cases:
            rng, ends = np.random.default_rng(n), []
            for _ in range(AREA_DRAWS):
                drawn, design = rng.random(n), Design.of(rng.lognormal(0, 1.5, size=n))
                one, other = drawn < first, drawn > 1 - first / 4
                found = paired_share_difference(one, other, design=design, confidence=CONFIDENCE)
                ends.append((found.low, found.high))
            entries.append(cell(100 * holding(np.array(ends), 0.75 * first)))
        rows.append([f"{n:,}", *entries])
    header = ["rows", *(f"{first:g}, {first / 4:g}" for first in cases)]
    words = (
        "The same with lognormal weights, whose logarithms have a standard deviation of 1.5; "
        f"{AREA_DRAWS} draws an entry (standard error 1.3). Few effective rows apart err to the "
        "safe side, as above."
    )
    return f"{words}\n\n{table(header, rows)}"


def area_table() -> str:
    cases: dict[str, Draw] = {
        "0.71, 0.71": binary((0.8, 0.8)),
        "0.86, 0.80": binary((1.5, 1.2)),
        "0.98, 0.96": binary((3.0, 2.5)),
        "0.76, 0.71, 10 % positive": binary((1.0, 0.8), base=0.1),
        "of four classes": several((2.5, 2.2)),
        "entities of three rows": binary((1.0, 0.8), entity=3),
        "weights": binary((1.0, 0.8), spread=0.7),
        "weights that differ much": binary((1.0, 0.8), spread=1.5),
        "such weights, 10 % positive": binary((1.0, 0.8), base=0.1, spread=1.5),
    }
    truths = {name: areas(draw, np.random.default_rng(1), TRUTH_ROWS).difference
              for name, draw in cases.items()}  # fmt: skip
    rows = []
    for n in SIZES:
        entries = []
        for name, draw in cases.items():
            rng = np.random.default_rng(n)
            found = [areas(draw, rng, n) for _ in range(AREA_DRAWS)]
            ends = np.array([interval(each, confidence=CONFIDENCE) for each in found])
            entries.append(cell(100 * holding(ends, truths[name])))
        rows.append([f"{n:,}", *entries])
    words = (
        f"AUROC, by the areas of both models, whose scores correlate by 0.8; {AREA_DRAWS} draws "
        "an entry (standard error 1.3). Weights are lognormal, of spread 0.7 and, where they "
        "differ much, 1.5. Where the areas are near 1 and rows few, or few in effect, the interval "
        "errs to the safe side."
    )
    return f"{words}\n\n{table(['rows or entities', *cases], rows)}"


def other_table() -> str:
    cases: dict[str, tuple[Draw, tuple[str, ...]]] = {
        "two classes": (binary((1.0, 0.8)), OF_DECISIONS_AND_LOSSES),
        "normal errors": (numbers(0.0), (names.RMSE, names.MAE, names.R2)),
        "heavy tails": (numbers(0.9), (names.RMSE, names.MAE, names.R2)),
        "text": (documents, (names.BITS_PER_CHARACTER, names.PERPLEXITY)),
    }
    rows: dict[str, list[str]] = {}
    for name, (draw, quantities) in cases.items():
        truths = truth(draw)
        for n in SIZES:
            found = list(intervals(draw, n))
            for quantity in quantities:
                ends = np.array([each[quantity] for each in found], dtype=float)
                percent = cell(100 * holding(ends, truths[quantity]))
                rows.setdefault(f"{quantity}, {name}", []).append(percent)
    words = (
        f"The other metrics, by the number of rows, or of documents for text; {DRAWS} draws an "
        "entry (standard error 1.1). Balanced accuracy and macro F1: paired bootstrap, "
        f"{REPLICATES} replicates, of the samples in which at least ten rows are decided "
        "differently. The others: the interval of a mean. Lengths of documents are lognormal, with "
        "the spread of the default text. Errors of lognormal sizes have tails that fewer than some "
        "hundred rows do not show: there the interval of their squares, and of R², holds the truth "
        "too seldom. Of entries whose true coverage is 95, one in thirty falls below 93 by chance."
    )
    lines = [[name, *entries] for name, entries in rows.items()]
    return f"{words}\n\n{table(['metric', *(f'{n:,}' for n in SIZES)], lines)}"


def verdict_table() -> str:
    """Count tables in which models that do not differ get a verdict of better or worse."""
    rows = []
    for n in (50, 200, 1000):
        entries = []
        for quantity, models in ((names.AUROC, 2), (names.ACCURACY, 4)):
            rng, wrong, draw = np.random.default_rng(n), 0, binary((1.0,) * models)
            for _ in range(DRAWS):
                report = compared(draw(rng, n), quantity, replicates=2)
                told = {row.get("verdict") for row in report["differences"]}
                wrong += bool(told & {names.BETTER, names.WORSE})
            entries.append(f"{100 * wrong / DRAWS:.1f}")
        rows.append([f"{n:,}", *entries])
    words = (
        f"Tables, in percent, with a verdict of better or worse although no model is better; "
        f"{DRAWS} draws an entry (standard error 1.1). At most 5 is asked for."
    )
    return f"{words}\n\n{table(['rows', 'AUROC of two models', 'accuracy of four models'], rows)}"


def areas(draw: Draw, rng: np.random.Generator, n: int) -> Areas:
    """Return the AUROC of two models, without the other metrics."""
    one, other = draw(rng, n)
    every = np.ones(len(one.table), dtype=bool)
    design = Design.of(one.weights(every), one.entities(every))
    return two_areas(one.table["y_true"].to_numpy(), one.scores(), other.scores(), design)


def intervals(draw: Draw, n: int) -> Iterator[dict[str, tuple[float, float]]]:
    rng = np.random.default_rng(n)
    for seed in range(DRAWS):
        # Another seed each: the same draws for all samples would err alike in all of them.
        report = compared(draw(rng, n), "", replicates=REPLICATES, seed=seed)
        yield {row["quantity"]: (row["low"], row["high"]) for row in report["differences"][::-1]}


def compared(tables: list[Predictions], main: str, *, replicates: int, seed: int = 0) -> dict:
    options = MetricOptions(
        confidence=CONFIDENCE, replicates=replicates, seed=seed, neighbours=1, splits=2
    )
    return predictions_to_comparison(tables, options, dataset="drawn", main_metric=main)


def holding(ends: np.ndarray, value: float) -> float:
    """Return the share of intervals that hold a value, of those that are defined."""
    known = ends[~np.isnan(ends).any(axis=1)]
    return float(((known[:, 0] <= value) & (value <= known[:, 1])).mean())


def truth(draw: Draw) -> dict[str, float]:
    """Return the differences of the first model less the second in very many rows."""
    report = compared(draw(np.random.default_rng(1), TRUTH_ROWS), "", replicates=2)
    return {row["quantity"]: row["value"] for row in report["differences"][::-1]}


# --- models that predict -------------------------------------------------------------------------


def binary(
    shifts: tuple[float, ...], *, base: float = 0.5, entity: int = 1, spread: float = 0.0
) -> Draw:
    """Return a draw of models whose scores are normal, apart by a shift between the labels."""

    def draw(rng: np.random.Generator, n: int) -> list[Predictions]:
        rows = n * entity
        y = (rng.random(rows) < base).astype(int)
        shared = rng.normal(size=(rows, 1)) + np.repeat(rng.normal(size=(n, 1)), entity, axis=0)
        shared /= np.sqrt(2)
        own = rng.normal(size=(rows, len(shifts)))
        score = np.sqrt(0.8) * shared + np.sqrt(0.2) * own + y[:, None] * shifts
        columns = {}
        if entity > 1:
            columns[names.ENTITY] = np.repeat(np.arange(n), entity).astype(str)
        if spread:
            columns[names.WEIGHT] = rng.lognormal(0, spread, size=rows)
        odds = np.log(base / (1 - base)) + score - np.mean(shifts) / 2
        p = 1 / (1 + np.exp(-odds))
        return [classified(y, np.stack([1 - p[:, k], p[:, k]], 1), k, **columns)
                for k in range(len(shifts))]  # fmt: skip

    return draw


def several(shifts: tuple[float, ...], classes: int = 4) -> Draw:
    """Return a draw of models whose logits are normal, higher by a shift for the true class."""

    def draw(rng: np.random.Generator, n: int) -> list[Predictions]:
        y = rng.integers(classes, size=n)
        shared = rng.normal(size=(n, classes))
        found = []
        for k, shift in enumerate(shifts):
            logits = np.sqrt(0.8) * shared + np.sqrt(0.2) * rng.normal(size=(n, classes))
            logits[np.arange(n), y] += shift
            p = np.exp(logits)
            found.append(classified(y, p / p.sum(axis=1, keepdims=True), k))
        return found

    return draw


def numbers(spread: float) -> Draw:
    """Return a draw of two models with correlated errors of lognormal sizes."""

    def draw(rng: np.random.Generator, n: int) -> list[Predictions]:
        x, size = rng.normal(size=n), np.exp(spread * rng.normal(size=n))
        shared, own = rng.normal(size=(2, n))
        errors = size * shared, size * (0.8 * shared + 0.6 * own)
        return [
            predictions(names.REGRESSION, k, {"y_true": x, "y_pred": x + scale * errors[k]})
            for k, scale in enumerate((0.5, 0.55))
        ]

    return draw


def documents(rng: np.random.Generator, n: int) -> list[Predictions]:
    length = np.ceil(np.exp(rng.normal(7.4, 1.0, size=n))).astype(int)
    shared = 1.0 + 0.15 * rng.normal(size=n)
    apart = 0.05 + 0.05 * rng.normal(size=n) - 0.01 * (np.log(length) - 7.4)
    return [
        predictions(
            names.LANGUAGE,
            k,
            {
                "document_id": np.arange(n).astype(str),
                "nll": length * (shared + k * apart),
                "characters": length,
            },
        )
        for k in range(2)
    ]


def classified(y: np.ndarray, scores: np.ndarray, model: int, **columns: object) -> Predictions:
    classes = tuple(str(k) for k in range(scores.shape[1]))
    each = {f"score_{name}": scores[:, k] for k, name in enumerate(classes)}
    values = {**columns, "y_true": y, "y_pred": scores.argmax(axis=1), **each}
    return predictions(names.CLASSIFICATION, model, values, classes)


def predictions(
    kind: str, model: int, columns: dict[str, object], classes: tuple[str, ...] = ()
) -> Predictions:
    frame = pd.DataFrame(columns)
    frame.insert(0, "sample_id", np.arange(len(frame)).astype(str))
    frame.insert(1, "split", names.TEST)
    return Predictions(frame, f"model{model}", kind, "drawn", "drawn", classes, None, ())
