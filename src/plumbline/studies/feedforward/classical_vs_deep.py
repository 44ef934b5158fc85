"""Compare classical models with networks: score by training rows, cost, size, explanations."""

from __future__ import annotations

import itertools
import logging
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import kendalltau

from plumbline.errors import ParamsError
from plumbline.studies.feedforward.comparison import classical, explanations, networks
from plumbline.studies.feedforward.comparison.fitted import Fitted, Floats, Split, score
from plumbline.studies.feedforward.datasets import loading

if TYPE_CHECKING:
    from plumbline.params.feedforward import ClassicalVsDeepParams, RowNumbers
    from plumbline.studies.framework.rows import Progress

log = logging.getLogger(__name__)

CURVE, IMPORTANCE, AGREEMENT, STEADINESS = "curve", "importance", "agreement", "steadiness"
CHECK, RULE, LEFT_OUT = "check", "rule", "left out"
IMAGES, PIXEL = "digits", 16.0  # the largest value of a pixel
VALUES = (
    "score", "gain", "fit_operations", "predict_operations", "bytes", "share", "tau", "steadiness",
    "gap", "linear_error", "predicted", "rows",
)  # fmt: skip
SETTINGS = (
    "part", "data", "model", "examples", "seed", "setting", "explanation", "other", "feature",
    "text",
)  # fmt: skip
OTHER = "values of the other parts"  # why a row lacks them
Row = dict[str, Any]
Models = Mapping[str, tuple[str, Sequence[Fitted]]]  # the setting, and a fit per seed


def run(options: ClassicalVsDeepParams, seed: int, progress: Progress) -> pd.DataFrame:
    """Return the rows of all parts of the study.

    Returns
    -------
    DataFrame
        ``part, data, model, examples`` (training rows), ``seed``. Of *curve*: ``score`` (accuracy,
        or R² of a regression; test rows), ``gain`` (on the score with the next smaller number of
        training rows), ``fit_operations``, ``predict_operations`` (of one row), ``bytes`` and
        ``setting``. Of *importance*: ``explanation``, ``feature`` and ``share`` (of the sum over
        features). Of *agreement*: ``explanation``, ``other`` and ``tau``, Kendall's rank
        correlation of both. Of *steadiness*: ``explanation`` and ``steadiness``, its rank
        correlation with the same one for the next seed, of every second seed. Of *check*:
        ``gap``, the largest completeness gap of integrated gradients, and ``linear_error``, their
        largest error on the linear model. Of *rule*: the shallow tree of the first seed, ``text,
        predicted`` (a number, or the share of the second class) and ``rows``. Values of other parts
        are NaN.

    Raises
    ------
    ParamsError
        If a data set has fewer rows than are wanted, or the file of UCI Adult is not there.
    """
    torch.set_num_threads(1)  # the order of sums must not depend on the machine
    sizes = {name: its for name, its in options.data.items() if _is_there(name, options)}
    steps = [(name, examples) for name, its in sizes.items() for examples in its.examples]
    splits = {name: _split(name, its, options, seed) for name, its in sizes.items()}
    rows: list[Row] = [
        {"part": LEFT_OUT, "data": name, "seed": 0, "reason": "no file is named"}
        for name in options.data if name not in sizes
    ]  # fmt: skip
    for done, (name, examples) in enumerate(steps, start=1):
        models = _fit(splits[name], name, examples, options, seed)
        place = {"data": name, "examples": examples}
        rows += ({**place, **row} for row in _curve(models, splits[name]))
        if (name, examples) in options.explained.items():
            rows += ({**place, **row} for row in _explain(models, splits[name], options, seed))
        progress(done, len(steps), f"{name}, {examples} rows")
        _tell_seconds(models, splits[name], f"{name}, {examples} rows")
    return _with_reasons(pd.DataFrame(rows))


def _is_there(name: str, options: ClassicalVsDeepParams) -> bool:
    return name != loading.ADULT or options.adult is not None


def _split(name: str, sizes: RowNumbers, options: ClassicalVsDeepParams, seed: int) -> Split:
    found = loading.shuffled(name, seed, file=options.adult, scaled=False)
    x, y = found.features, found.targets
    if name == IMAGES:
        x = x / PIXEL
    held, most = sizes.test_rows + sizes.val_rows, max(sizes.examples)
    if most > len(y) - held:
        raise ParamsError(
            f"classical_vs_deep.data.{name}: examples must be at most {len(y) - held}, got {most}; "
            f"the data have {len(y)} rows, of which {held} are held for test and validation"
        )
    mean, scale = (0.0, 1.0) if found.classes else (y[held:].mean(), y[held:].std())
    if not found.classes:
        y = (y - mean) / scale
    ends = np.split(np.arange(len(y)), [sizes.test_rows, held])
    test, val, rest = ((x[part], y[part]) for part in ends)
    return Split(
        rest, val, test, found.names, found.classes, standardise=name != IMAGES, mean=mean,
        scale=scale,
    )  # fmt: skip


def _fit(
    data: Split, name: str, examples: int, options: ClassicalVsDeepParams, seed: int
) -> dict[str, tuple[str, list[Fitted]]]:
    """Return the chosen setting of each model, and its fits by seed."""
    numbers = range(options.seeds + options.tuning_seeds)
    seeds = [int(np.random.SeedSequence([seed, n]).generate_state(1)[0]) for n in numbers]
    draws = [data.draw(examples, own) for own in seeds]
    found = {}
    for model in (*classical.GRIDS, networks.FNN, *([networks.CNN] if name == IMAGES else [])):
        is_classical = model in classical.GRIDS
        fit = classical.fit if is_classical else networks.fit
        grid = classical.GRIDS[model] if is_classical else [{"rate": r} for r in options.rates]
        pilots = (
            fit(model, setting, data, draws[options.seeds :], options, seeds[options.seeds :])
            for setting in grid
        )
        best = grid[int(np.argmax([_mean_score(fits, data) for fits in pilots]))]
        fits = fit(model, best, data, draws[: options.seeds], options, seeds[: options.seeds])
        found[model] = " ".join(f"{key}={value:g}" for key, value in best.items()), fits
    return found


def _mean_score(fits: Sequence[Fitted], data: Split) -> float:
    x, y = data.val
    return statistics.fmean(score(y, each.predict(x), classes=data.classes) for each in fits)


def _curve(models: Models, data: Split) -> Iterator[Row]:
    for name, (setting, fits) in models.items():
        for seed, fitted in enumerate(fits):
            predicted = fitted.predict(data.test[0])
            yield {
                "part": CURVE, "model": name, "seed": seed, "setting": setting,
                "score": score(data.test[1], predicted, classes=data.classes),
                "fit_operations": fitted.fit_operations,
                "predict_operations": fitted.predict_operations,
                "bytes": float(fitted.size),
            }  # fmt: skip


def _tell_seconds(models: Models, data: Split, where: str) -> None:
    """Log seconds, which are no result: a fit (of a network, its share of the stack), a prediction.

    The fit is the median over seeds.
    """
    told = []
    for name, (_, fits) in models.items():
        started = time.perf_counter()
        fits[0].predict(data.test[0])
        micro = 1e6 * (time.perf_counter() - started) / len(data.test[1])
        fit = statistics.median(each.fit_seconds for each in fits)
        told.append(f"{name} {fit:.3g} s and {micro:.3g} µs")
    log.info("%s: a fit, and the prediction of a row: %s", where, "; ".join(told))


def _explain(models: Models, data: Split, options: ClassicalVsDeepParams, seed: int
             ) -> Iterator[Row]:  # fmt: skip
    found = []
    for number in range(options.seeds):
        own = {name: fits[number] for name, (_, fits) in models.items()}
        explained = explanations.attribute(
            own[networks.FNN].model, data.test[0], nodes=options.nodes
        )
        found.append(explanations.importances(own, data, explained, options.repeats, seed))
        yield {
            "part": CHECK, "seed": number, "gap": float(explained.gap.abs().max()),
            "linear_error": explanations.linear_error(
                own[classical.LINEAR].model, data.test[0]
            ),
        }  # fmt: skip
        for explanation, values in found[-1].items():
            above = np.clip(values, 0, None)
            shares = above / (above.sum() or np.nan)
            for feature, share in zip(data.names, shares, strict=True):
                yield {
                    "part": IMPORTANCE, "explanation": explanation, "seed": number,
                    "feature": feature, "share": float(share),
                }  # fmt: skip
    yield from _agreement(found)
    tree = models[classical.SHALLOW][1][0].model
    for text, values, rows in explanations.rules(tree, data.names):
        predicted = data.mean + data.scale * values[-1]
        yield {"part": RULE, "seed": 0, "text": text, "predicted": predicted, "rows": float(rows)}


def _agreement(found: Sequence[Mapping[str, Floats]]) -> Iterator[Row]:
    for seed in range(0, len(found) - 1, 2):  # pairs without a common seed are independent
        for name, values in found[seed].items():
            other = found[seed + 1][name]
            yield {
                "part": STEADINESS, "explanation": name, "seed": seed,
                "steadiness": float(kendalltau(values, other).statistic),
            }  # fmt: skip
    for seed, own in enumerate(found):
        for first, second in itertools.combinations(own, 2):
            yield {
                "part": AGREEMENT, "explanation": first, "other": second, "seed": seed,
                "tau": float(kendalltau(own[first], own[second]).statistic),
            }  # fmt: skip


def _with_reasons(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the gain of more training rows, and the reason of values that are not defined."""
    found = rows.reindex(columns=[*SETTINGS, *VALUES, "reason"])
    found["reason"] = found["reason"].astype(object).fillna(OTHER)
    curve = found[found["part"] == CURVE].sort_values("examples", kind="stable")
    found["gain"] = curve.groupby(["data", "model", "seed"])["score"].diff()
    reasons = {
        "gain": (CURVE, "fewer training rows are not measured"),
        "tau": (AGREEMENT, "the importances of one explanation are all equal"),
        "steadiness": (STEADINESS, "the importances of one seed are all equal"),
        "share": (IMPORTANCE, "no feature has an importance above 0"),
    }
    for value, (part, why) in reasons.items():
        lacking = (found["part"] == part) & found[value].isna()
        found.loc[lacking, "reason"] = why
    return found
