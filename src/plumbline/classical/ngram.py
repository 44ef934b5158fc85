"""Interpolated n-gram model of characters; held-out data weigh the orders.

F. Jelinek, R. L. Mercer, "Interpolated estimation of Markov source parameters from sparse data"
(1980): the probability of a character is a mixture of its relative frequencies after the last
0, 1, …, n characters and of the uniform distribution. A weight depends on the order and on how
often the context was seen for each different character that followed it (S. F. Chen, J. Goodman,
"An empirical study of smoothing techniques for language modeling", 1998, section 2.4), and is
fitted by expectation maximisation on the validation split.

Shape letters: ``T`` characters of all documents together, ``V`` vocabulary, ``n`` order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline.errors import TrainingError

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Weights = dict[str, npt.NDArray[Any]]

BUCKETS = 16  # of mean count, half an octave each; the first holds contexts that were never seen
EM_STEPS = 30


def fit_ngram(
    train: Sequence[Codes], held_out: Sequence[Codes], *, order: int, vocabulary_size: int
) -> Weights:
    """Count n-grams on training documents and fit their mixture on held-out ones.

    Parameters
    ----------
    train, held_out : sequences of int64 arrays
        Character codes in [0, V) of each document; no context reaches beyond its document.
    order : int
        Characters of context, at least 1.
    vocabulary_size : int
        V.

    Returns
    -------
    dict of arrays
        For each k in 0…n ``keys_<k>`` (uint64, sorted: context and next character as one number)
        and ``counts_<k>`` (uint32); ``mixture`` (n + 1, BUCKETS): weight of order k's frequencies
        against all lower orders.

    Raises
    ------
    TrainingError
        If the keys would not fit into 64 bits, or a part holds no character.
    """
    if (vocabulary_size + 1) ** (order + 1) > 2**64:
        raise TrainingError(
            f"ngram: (vocabulary + 1) ** (order + 1) must fit into 64 bits, got vocabulary "
            f"{vocabulary_size} and order {order}; lower baseline.ngram_order or raise "
            "data_text.min_character_count"
        )
    for name, documents in (("training", train), ("held-out", held_out)):
        if not any(len(codes) for codes in documents):
            raise TrainingError(f"ngram: {name} documents must hold characters, got none")
    weights: Weights = {}
    for k, keys in enumerate(_keys(train, order, vocabulary_size)):
        unique, counts = np.unique(keys, return_counts=True)
        weights[f"keys_{k}"], weights[f"counts_{k}"] = unique, counts.astype(np.uint32)
    frequencies, buckets = _frequencies(weights, held_out, vocabulary_size)
    weights["mixture"] = _fit_mixture(frequencies, buckets)
    return weights


def documents_nll(
    weights: Mapping[str, npt.NDArray[Any]], config: Mapping[str, Any], documents: Sequence[Codes]
) -> list[Floats]:
    """Return the negative log-likelihood of each character of each document.

    Parameters
    ----------
    weights : mapping
        Result of `fit_ngram`, or of `artifacts.load_weights`.
    config : mapping
        ``ModelConfig.arguments``; ``vocabulary_size`` is used.
    documents : sequence of int64 arrays, (T,)

    Returns
    -------
    list of arrays, (T,)
        Nats, finite and positive.
    """
    frequencies, buckets = _frequencies(weights, documents, int(config["vocabulary_size"]))
    shares = _shares(np.asarray(weights["mixture"]), buckets)
    nats: Floats = -np.log((shares * frequencies).sum(axis=0))
    ends = np.cumsum([len(codes) for codes in documents])
    return np.split(nats, ends[:-1])


def _keys(
    documents: Sequence[Codes], order: int, vocabulary_size: int
) -> list[npt.NDArray[np.uint64]]:
    """Return, for k in 0…n, each character with its k predecessors as one number, ``(T,)``.

    Digits to base V + 1; the extra digit stands for "before the document".
    """
    base = np.uint64(vocabulary_size + 1)
    before = np.full(order, vocabulary_size, dtype=np.int64)
    padded = [np.concatenate([before, codes]).astype(np.uint64) for codes in documents]
    keys, found = [codes[order:] for codes in padded], []
    for k in range(order + 1):
        if k:
            place = base ** np.uint64(k)
            keys = [
                key + codes[order - k : len(codes) - k] * place
                for key, codes in zip(keys, padded, strict=True)
            ]
        found.append(np.concatenate(keys))
    return found


def _frequencies(
    weights: Mapping[str, npt.NDArray[Any]], documents: Sequence[Codes], vocabulary_size: int
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return relative frequencies ``(n + 2, T)``, uniform first, and buckets ``(n + 1, T)``.

    The lowest digit of a key is the character itself: without it, the key is its context.
    """
    order = len(weights["mixture"]) - 1 if "mixture" in weights else len(weights) // 2 - 1
    base = np.uint64(vocabulary_size + 1)
    asked = _keys(documents, order, vocabulary_size)
    frequencies = [np.full(len(asked[0]), 1 / vocabulary_size)]
    buckets = []
    for k, keys in enumerate(asked):
        known, counts = weights[f"keys_{k}"], weights[f"counts_{k}"].astype(np.float64)
        contexts, context_of = np.unique(known // base, return_inverse=True)
        totals = np.bincount(context_of, counts)
        types = np.bincount(context_of)
        total = _look_up(contexts, totals, keys // base)
        mean_count = total / np.maximum(_look_up(contexts, types, keys // base), 1)
        frequencies.append(_look_up(known, counts, keys) / np.maximum(total, 1))
        buckets.append(_bucket(mean_count))
    return np.stack(frequencies), np.stack(buckets)


def _look_up(
    known: npt.NDArray[np.uint64], values: npt.NDArray[Any], keys: npt.NDArray[np.uint64]
) -> Floats:
    place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[place] == keys, values[place], 0).astype(np.float64)


def _bucket(mean_count: Floats) -> npt.NDArray[np.int64]:
    with np.errstate(divide="ignore"):
        octave = np.log2(mean_count)
    return np.where(mean_count > 0, np.clip(2 * octave + 1, 1, BUCKETS - 1), 0).astype(np.int64)


def _shares(mixture: Floats, buckets: npt.NDArray[np.int64]) -> Floats:
    """Return the weight of each component for each character, ``(n + 2, T)``; they sum to 1."""
    own = np.stack([row[bucket] for row, bucket in zip(mixture, buckets, strict=True)])
    left = np.cumprod((1 - own)[::-1], axis=0)[
        ::-1
    ]  # what order k leaves to lower ones, (n + 1, T)
    above = np.vstack([left[1:], np.ones((1, left.shape[1]))])
    return np.vstack([left[:1], own * above])


def _fit_mixture(frequencies: Floats, buckets: npt.NDArray[np.int64]) -> Floats:
    mixture = np.full((len(buckets), BUCKETS), 0.5)
    mixture[:, 0] = 0.0  # a context that was never seen has no frequencies
    for _ in range(EM_STEPS):
        parts = _shares(mixture, buckets) * frequencies
        parts /= parts.sum(axis=0)
        lower = np.cumsum(parts, axis=0)
        for k, bucket in enumerate(buckets):
            mine = np.bincount(bucket, parts[k + 1], minlength=BUCKETS)
            reached = np.bincount(bucket, lower[k + 1], minlength=BUCKETS)
            seen = reached > 0
            mixture[k, seen] = mine[seen] / reached[seen]
        mixture[:, 0] = 0.0
        # Never certain: a character that followed no known context keeps a probability.
        np.clip(mixture, 0.0, 1 - 1e-4, out=mixture)
    return mixture
