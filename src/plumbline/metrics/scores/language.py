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

    Linearised variance of a ratio of means (Cochran, "Sampling Techniques", 3rd ed. 1977, section
    6.3) with Student's t on D - 1 degrees of freedom; ends are NaN for fewer than 2 documents.
    """
    from scipy.special import stdtrit

    nats, length = np.asarray(nll, dtype=np.float64), np.asarray(characters, dtype=np.float64)
    documents, total = len(nats), float(length.sum())
    if not total:
        return float("nan"), float("nan"), float("nan")
    rate = float(nats.sum()) / total
    if documents < 2:
        return rate / math.log(2), float("nan"), float("nan")
    spread = float(((nats - rate * length) ** 2).sum()) * documents / (documents - 1)
    half = float(stdtrit(documents - 1, (1 + confidence) / 2)) * math.sqrt(spread) / total
    low, high = max(rate - half, 0.0), rate + half
    return rate / math.log(2), low / math.log(2), high / math.log(2)
