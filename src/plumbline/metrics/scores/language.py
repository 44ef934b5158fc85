"""Quality of a text model: how many bits it needs per character.

Blocks of one document are not independent, so documents, not blocks, are the units of resampling
and of variance.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.errors import MetricError
from plumbline.metrics.intervals import means

Floats = npt.NDArray[np.float64]

# A document counts as uncontained if at most this share of its runs of five words stand in training
# documents: common phrases, no copied passages.
UNCONTAINED = 0.1


def blocks_to_documents(
    document_id: npt.ArrayLike, nll: npt.ArrayLike, characters: npt.ArrayLike
) -> pd.DataFrame:
    """Return one row per document: ``document_id`` (sorted), ``nll`` (nats), ``characters``.

    Raises
    ------
    MetricError
        If there is no block, or one without characters.
    """
    blocks = pd.DataFrame({"document_id": document_id, "nll": nll, "characters": characters})
    if blocks.empty or (blocks["characters"] < 1).any():
        raise MetricError("language: every block must have a character, got one with none")
    return blocks.groupby("document_id", sort=True, as_index=False).sum()


def weighted_metrics(
    nll: npt.ArrayLike, characters: npt.ArrayLike, *, weights: Floats | None = None
) -> dict[str, Floats]:
    """Return bits per character and perplexity per character by name, ``(B,)`` each.

    Parameters
    ----------
    nll : array_like, (D,)
        Summed negative log-likelihood of each document in nats.
    characters : array_like, (D,)
    weights : ndarray, (D, B), optional
        Without weights ``B`` is 1.
    """
    nats, length = np.asarray(nll, dtype=np.float64), np.asarray(characters, dtype=np.float64)
    w = np.ones((len(nats), 1)) if weights is None else weights
    rate = (nats @ w) / (length @ w)
    return {names.BITS_PER_CHARACTER: rate / math.log(2), names.PERPLEXITY: np.exp(rate)}


def ratio_interval(
    nll: npt.ArrayLike, characters: npt.ArrayLike, *, confidence: float
) -> tuple[float, float, float]:
    """Return bits per character and the ends of its interval, documents being the units.

    The rate is a mean over documents weighted by their length: linearised variance of a ratio
    (Cochran, "Sampling Techniques", 3rd ed. 1977, section 6.3), degrees of freedom of as many
    documents of one length as are worth as much, and the interval of `means.mean_interval`, held at
    0 from below. Ends are NaN for fewer than 2 documents.
    """
    nats, length = np.asarray(nll, dtype=np.float64), np.asarray(characters, dtype=np.float64)
    nats, length = nats[length > 0], length[length > 0]  # an empty document has no rate
    if not len(length):
        return float("nan"), float("nan"), float("nan")
    mean = means.values_to_mean(nats / length, length)
    low, high = means.mean_interval(mean, confidence=confidence)
    ends = max(float(low[0]), 0.0) if len(nats) > 1 else float("nan"), float(high[0])
    return float(mean.value[0]) / math.log(2), ends[0] / math.log(2), ends[1] / math.log(2)
