"""What a model's outputs depend on, in a few numbers, with a check by new weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr
from torch import nn

from plumbline import models, names
from plumbline.artifacts import ModelConfig
from plumbline.inference.explanations.explain import restore_subject
from plumbline.inference.explanations.images import Pictures, regions
from plumbline.inference.explanations.outputs import Subject
from plumbline.inference.explanations.tables import Rows
from plumbline.metrics.intervals.proportions import student
from plumbline.models.layers import seeded_weights

if TYPE_CHECKING:
    from plumbline.params.reports import ExplainParams

FEATURES = 5  # that are named
Floats = npt.NDArray[np.float64]


def summarise(
    model: Path, data: Path, options: ExplainParams, *, confidence: float, seed: int
) -> dict[str, Any]:
    """Return ``{"explanation": …}`` of a classifier or a regression, nothing of other models.

    Parameters
    ----------
    model, data : Path
        Model and the prepared data it was fitted to; test rows are explained.
    options : ExplainParams
    confidence : float
        Of Student's intervals of means over rows.
    seed : int
        Of the drawn rows and of new weights.

    Returns
    -------
    dict
        ``method, output, baseline, rows, of_rows``; of a table ``features`` by falling
        ``mean_absolute`` attribution, with its interval ``low, high``, and ``mean``; of images
        ``centre``, the share of the absolute attribution in the middle of three by three parts,
        with its interval, and ``evenly``, that of even attributions.
        Of networks ``randomised``: the mean rank correlation of the attributions of a row with
        those of the network with new weights, ``lowest`` and ``highest`` of some draws (Adebayo et
        al. 2018, "Sanity checks for saliency maps"); near 0 where attributions depend on what was
        learnt.
    """
    config = ModelConfig.read(model)
    if config.kind not in (names.CLASSIFICATION, names.REGRESSION):
        return {}
    subject = restore_subject(model, data)
    every = len(subject.ids)
    rows = np.sort(np.random.default_rng(seed).permutation(every)[: options.rows])
    own = _values(subject, rows, options.nodes)
    found: dict[str, Any] = {
        "method": subject.methods[0], "output": subject.output(subject.methods[0]),
        "baseline": subject.baseline_name, "rows": len(rows), "of_rows": every,
    }  # fmt: skip
    if isinstance(subject, Rows):
        found["features"] = _features(own, subject.columns, confidence)
    else:
        found["centre"] = _mean([regions(each)[1, 1] for each in own], confidence)
        found["centre"]["evenly"] = float(regions(np.ones_like(own[0]))[1, 1])
    others = [
        _values(other, rows, options.nodes)
        for draw in range(options.draws)
        if (other := _with_new_weights(subject, config, seed + 1 + draw)) is not None
    ]
    if others:
        each = [_agreement(own, other) for other in others]
        found["randomised"] = {
            "mean": float(np.mean(each)), "lowest": min(each), "highest": max(each),
            "draws": len(each),
        }  # fmt: skip
    return {"explanation": found}


def _values(subject: Subject, rows: npt.NDArray[np.int64], nodes: int) -> Floats:
    parts = [rows[at : at + subject.block] for at in range(0, len(rows), subject.block)]
    blocks = [subject.explain(part, method=subject.methods[0], nodes=nodes) for part in parts]
    return np.stack([values for block in blocks for values in block.values])


def _features(values: Floats, columns: list[str], confidence: float) -> list[dict[str, Any]]:
    order = np.argsort(-np.abs(values).mean(axis=0), kind="stable")[:FEATURES]
    return [
        {
            "feature": columns[at],
            **_mean(np.abs(values[:, at]), confidence, name="mean_absolute"),
            "mean": float(values[:, at].mean()),
        }
        for at in order
    ]


def _mean(values: Any, confidence: float, *, name: str = "mean") -> dict[str, float | None]:
    """Return the mean and its interval; None of an interval of one row."""
    found = np.asarray(values, dtype=np.float64)
    found = found[~np.isnan(found)]  # shares of a map that is 0 everywhere
    low, high = student(found, confidence=confidence) if len(found) > 1 else (None, None)
    return {name: float(found.mean()) if len(found) else None, "low": low, "high": high}


def _agreement(first: Floats, second: Floats) -> float:
    """Return the mean rank correlation of the attributions of a row; 0 for constant ones."""
    pairs = zip(first.reshape(len(first), -1), second.reshape(len(second), -1), strict=True)
    found = [
        float(spearmanr(a, b).statistic) if np.ptp(a) > 0 and np.ptp(b) > 0 else 0.0
        for a, b in pairs
    ]
    return float(np.mean(found))


def _with_new_weights(subject: Subject, config: ModelConfig, seed: int) -> Subject | None:
    """Return a subject attributed with new weights; data statistics and classes stay."""
    if isinstance(subject, Pictures):
        return replace(subject, attributed=_drawn(subject.network, config, seed))
    if isinstance(subject, Rows) and subject.network is not None:
        return replace(subject, network=_drawn(subject.network, config, seed).double())
    return None


def _drawn(network: nn.Module, config: ModelConfig, seed: int) -> nn.Module:
    with seeded_weights(seed):
        found = models.build(config.architecture, **config.arguments)
    found.load_state_dict(dict(network.named_buffers()), strict=False)
    return found.eval().requires_grad_(False)
