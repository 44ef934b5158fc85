"""Interpolated modified Kneser–Ney model of characters.

S. F. Chen, J. Goodman, "An empirical study of smoothing techniques for language modeling" (1998),
section 3: each order subtracts one of three discounts from its counts and leaves what it saves to
the next lower order. The highest order counts occurrences, a lower one the different characters on
the left. Below order 0 is the uniform distribution.

A gram of order ``k`` is a character with the ``k`` characters before it. Its number is its place
among the grams of order ``k``, sorted by the gram of order ``k - 1`` that it extends to the left
and then by the added character. So one 64-bit key names a gram of any order, one binary search
finds it, and the file holds an added character and a count of each.

A document begins with the symbol ``V``, which is never predicted. Nothing stands before it: grams
that begin with it are counted by occurrences at every order, as in K. Heafield et al., "Scalable
modified Kneser-Ney language model estimation" (2013), section 3.1.

Shape letters: ``T`` characters of all documents with their beginnings, ``V`` vocabulary, ``G``
grams of an order, ``C`` contexts of an order, ``n`` highest order: the characters of context.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline.errors import TrainingError

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Weights = dict[str, npt.NDArray[Any]]

NONE = -1  # number of a gram that was never seen, or would reach beyond its document
FALLBACK = (0.5, 1.0, 1.5)  # discounts where the counts allow no estimate; KenLM's default


def fit_ngram(
    train: Sequence[Codes], held_out: Sequence[Codes], *, orders: Sequence[int],
    vocabulary_size: int,
) -> tuple[Weights, dict[int, float]]:  # fmt: skip
    """Count the grams of training documents and keep the order of fewest bits on held-out ones.

    Parameters
    ----------
    train, held_out : sequences of int64 arrays
        Character codes in [0, V) of each document; no context reaches beyond its document.
    orders : sequence of int
        Characters of context to try, each at least 1; the lowest wins a tie.
    vocabulary_size : int
        V.

    Returns
    -------
    weights : dict of arrays
        ``added_<k>`` (G,) for k in 1…n, the first character of each gram; ``counts_<k>`` (G,) for k
        in 0…n, at k = 0 of every code in 0…V; ``discounts`` (n + 1, 3), of counts 1, 2, and more.
    bits : dict of float
        Held-out bits per character by order.

    Raises
    ------
    TrainingError
        If a part holds no character.
    """
    for name, documents in (("training", train), ("held-out", held_out)):
        if not any(len(codes) for codes in documents):
            raise TrainingError(f"ngram: {name} documents must hold characters, got none")
    found, occurrences = _count(train, max(orders), vocabulary_size)
    stream = _Stream.of(held_out, vocabulary_size)
    lower, bits = np.full(len(stream.codes), 1 / vocabulary_size), {}
    for k, (table, seen) in enumerate(_look_up(found, stream, vocabulary_size)):
        if k in orders:
            highest = _Stage.of(table, occurrences[k], discounts(occurrences[k]))
            values = highest.probabilities(seen, lower)[stream.places > 0]
            bits[k] = float(-np.log2(values).mean())
        stage = _Stage.of(table, found[f"counts_{k}"], discounts(found[f"counts_{k}"]))
        lower = stage.probabilities(seen, lower)
    order = min(bits, key=lambda k: (bits[k], k))
    counts = [found[f"counts_{k}"] for k in range(order)] + [occurrences[order]]
    weights: Weights = {f"added_{k}": found[f"added_{k}"] for k in range(1, order + 1)}
    weights |= {f"counts_{k}": _narrow(count) for k, count in enumerate(counts)}
    weights["discounts"] = np.stack([discounts(count) for count in counts])
    return weights, bits


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
    size = int(config["vocabulary_size"])
    stream = _Stream.of(documents, size)
    found = np.full(len(stream.codes), 1 / size)
    for k, (table, seen) in enumerate(_look_up(weights, stream, size)):
        stage = _Stage.of(table, weights[f"counts_{k}"], weights["discounts"][k])
        found = stage.probabilities(seen, found)
    ends = np.cumsum([len(codes) for codes in documents])
    return np.split(-np.log(found[stream.places > 0]), ends[:-1])


def discounts(counts: npt.NDArray[Any]) -> Floats:
    """Return the discounts of counts 1, 2, and 3 or more, ``(3,)``.

    Equation 17 of Chen and Goodman's section 3.2: they follow from how many grams have counts 1, 2,
    3 and 4. Where no gram has count 1, 2 or 3, or a discount is not above 0, all are `FALLBACK`.
    """
    n1, n2, n3, n4 = (float((counts == c).sum()) for c in (1, 2, 3, 4))
    if not (n1 and n2 and n3):
        return np.array(FALLBACK)
    y = n1 / (n1 + 2 * n2)
    found = np.array([1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
    return found if (found > 0).all() else np.array(FALLBACK)


@dataclass(frozen=True)
class _Stream:
    """Documents one after the other, each with the symbol of its beginning.

    Attributes
    ----------
    codes : array, (T,)
    places : array, (T,)
        Of each character in its document; 0 is the beginning.
    """

    codes: Codes
    places: Codes

    @classmethod
    def of(cls, documents: Sequence[Codes], vocabulary_size: int) -> _Stream:
        codes = [part for document in documents for part in ([vocabulary_size], document)]
        places = [np.arange(len(document) + 1) for document in documents]
        return cls(np.concatenate(codes).astype(np.int64), np.concatenate(places))

    def extended(self, shorter: Codes, k: int, base: int) -> Codes:
        """Return keys of the grams of order k from the numbers of the shorter ones, ``(T,)``."""
        keys = np.full(len(shorter), NONE)
        rows = np.flatnonzero((self.places >= k) & (shorter != NONE))
        keys[rows] = shorter[rows] * base + self.codes[rows - k]
        return keys


@dataclass(frozen=True)
class _Grams:
    """The grams of one order.

    Attributes
    ----------
    keys : array, (G,), ascending
    contexts : array, (G,)
        Number of the gram of order k - 1 before the last character; 0 at order 0.
    number_of_contexts : int
        C: grams of order k - 1; 1 at order 0.
    """

    keys: Codes
    contexts: Codes
    number_of_contexts: int

    def find(self, keys: Codes) -> Codes:
        """Return the numbers of grams by their keys."""
        if not len(self.keys):
            return np.full(len(keys), NONE)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, places, NONE)


@dataclass(frozen=True)
class _Stage:
    """One order of the interpolation.

    Attributes
    ----------
    kept : array, (G,)
        Discounted counts.
    totals, saved : arrays, (C,)
        Sum of the counts after a context, and of their discounts.
    """

    kept: Floats
    totals: Floats
    saved: Floats

    @classmethod
    def of(cls, grams: _Grams, counts: npt.NDArray[Any], discount: Floats) -> _Stage:
        taken: Floats = np.concatenate([[0.0], discount])[np.minimum(counts, 3)]
        size = max(grams.number_of_contexts, 1)
        totals, saved = (
            np.asarray(np.bincount(grams.contexts, values, size), dtype=np.float64)
            for values in (counts, taken)
        )
        return cls(counts - taken, totals, saved)

    def probabilities(self, seen: tuple[Codes, Codes], lower: Floats) -> Floats:
        """Return the probability of each character, ``(T,)``, from that of the lower order.

        Parameters
        ----------
        seen : pair of arrays, (T,)
            Numbers of gram and context.
        lower : array, (T,)
        """
        gram, context = seen
        total = np.where(context == NONE, 0.0, self.totals[context])
        kept = np.where(gram == NONE, 0.0, self.kept[gram]) if len(self.kept) else 0.0
        own = (kept + self.saved[context] * lower) / np.maximum(total, 1)
        return np.where(total > 0, own, lower)


def _count(
    documents: Sequence[Codes], order: int, vocabulary_size: int
) -> tuple[Weights, list[Codes]]:
    """Return added characters and counts as lower orders have them, and occurrences by order."""
    base = vocabulary_size + 1
    stream = _Stream.of(documents, vocabulary_size)
    numbers = stream.codes
    occurrences = [np.bincount(stream.codes[stream.places > 0], minlength=base)]
    first = np.arange(base)
    found: Weights = {}
    for k in range(1, order + 2):  # the order above the highest counts its left neighbours
        keys = stream.extended(numbers, k, base)
        known, numbers, count = np.unique(keys, return_inverse=True, return_counts=True)
        beyond = int(len(known) > 0 and known[0] == NONE)
        known, count, numbers = known[beyond:], count[beyond:], numbers - beyond
        left = np.bincount(known // base, minlength=len(first))
        found[f"counts_{k - 1}"] = np.where(first == vocabulary_size, occurrences[-1], left)
        first = known % base
        found[f"added_{k}"] = _narrow(first)
        occurrences.append(count)
    return found, occurrences


def _look_up(
    weights: Mapping[str, npt.NDArray[Any]], stream: _Stream, vocabulary_size: int
) -> Iterator[tuple[_Grams, tuple[Codes, Codes]]]:
    """Yield the grams of each order, and the numbers of gram and context of each character."""
    base = vocabulary_size + 1
    grams = _Grams(np.arange(base), np.zeros(base, dtype=np.int64), 1)
    added, numbers = grams.keys, stream.codes
    yield grams, (numbers, np.zeros_like(numbers))
    for k in range(1, sum(name.startswith("counts_") for name in weights)):
        # A gram has as many longer ones as it has left neighbours.
        longer = np.where(added == vocabulary_size, 0, weights[f"counts_{k - 1}"])
        shorter = np.repeat(np.arange(len(added)), longer)
        added = weights[f"added_{k}"].astype(np.int64)
        before = added if k == 1 else grams.find(grams.contexts[shorter] * base + added)
        context = np.concatenate([[NONE], numbers[:-1]])
        context[stream.places < k] = NONE
        grams = _Grams(shorter * base + added, before, len(grams.keys))
        numbers = grams.find(stream.extended(numbers, k, base))
        yield grams, (numbers, context)


def _narrow(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return whole numbers in the smallest unsigned type that holds them."""
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))
