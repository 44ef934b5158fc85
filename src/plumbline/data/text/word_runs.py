"""Runs of five words: the text that documents have in common.

A. Z. Broder, "On the resemblance and containment of documents" (1997): the containment of a
document is the share of its runs of words that stand in others. Unlike the Jaccard index of two
documents it does not fall when the other text is long, and it counts what several others hold
together.

Shape letters: ``N`` documents, ``R`` different runs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

WORDS = 5
# A run in more documents is boilerplate (a licence, a signature): it links no two of them. Without
# a bound the pairs to be compared would grow with the square of the number of documents.
MAX_LINKED = 200
ROWS = 2_000  # documents whose pairs are held at once

Floats = npt.NDArray[np.float64]
Groups = npt.NDArray[np.int64]


def word_runs(texts: Sequence[str]) -> csr_matrix:
    """Return which runs of five words occur in each text, a sparse 0/1 matrix ``(N, R)``.

    Words are letters, digits and underscores between other characters, in lower case. All words of
    a shorter text are one run; a text without a word has none.
    """
    from scipy.sparse import csr_matrix

    codes: dict[str, int] = {}
    found, owner = [], []
    for index, text in enumerate(texts):
        words = [codes.setdefault(word, len(codes) + 1) for word in _split(text)]
        if not words:
            continue
        padded = np.array(words + [0] * (WORDS - len(words)), dtype=np.int64)
        runs = np.lib.stride_tricks.sliding_window_view(padded, WORDS)
        found.append(runs)
        owner.append(np.full(len(runs), index))
    if not found:
        return csr_matrix((len(texts), 0), dtype=np.int32)
    columns = np.concatenate(found)
    key = columns[:, 0]
    for column in columns.T[1:]:
        _, key = np.unique(key * (len(codes) + 1) + column, return_inverse=True)
    pairs = np.unique(np.stack([np.concatenate(owner), key]), axis=1)
    ones = np.ones(pairs.shape[1], dtype=np.int32)
    return csr_matrix((ones, (pairs[0], pairs[1])), shape=(len(texts), int(key.max()) + 1))


def containment(runs: csr_matrix, within: npt.NDArray[np.bool_]) -> Floats:
    """Return the share of each document's runs that stand in the chosen documents, ``(N,)``.

    Parameters
    ----------
    runs : sparse matrix, (N, R)
        See `word_runs`.
    within : array of bool, (N,)
        The chosen documents; for one of them, the others count.

    Returns
    -------
    array, (N,)
        In [0, 1]; 0 for a document without a word.
    """
    holders = np.asarray(runs[within].sum(axis=0)).ravel()
    common = np.where(within, runs @ (holders > 1), runs @ (holders > 0))
    return _shares(common, runs)


def most_common_runs(runs: csr_matrix, others: csr_matrix) -> Groups:
    """Return for each document the other one with most runs in common, the first of equals."""
    nearest = np.zeros(runs.shape[0], dtype=np.int64)
    for start in range(0, runs.shape[0], ROWS):
        common = runs[start : start + ROWS] @ others.T
        nearest[start : start + ROWS] = np.asarray(common.argmax(axis=1)).ravel()
    return nearest


def linked_groups(runs: csr_matrix, *, share: float) -> Groups:
    """Return the group of each document, ``(N,)``: connected components of shared text.

    Two documents are linked if they have at least ``share`` of the shorter one's runs in common.
    Runs that stand in more than `MAX_LINKED` documents link none.
    """
    from scipy.sparse import csr_matrix, vstack
    from scipy.sparse.csgraph import connected_components

    sizes = np.maximum(_sizes(runs), 1)
    holders = np.asarray(runs.sum(axis=0)).ravel()
    linking = runs[:, (holders > 1) & (holders <= MAX_LINKED)]
    links = []
    for start in range(0, runs.shape[0], ROWS):
        common = (linking[start : start + ROWS] @ linking.T).tocoo()
        shorter = np.minimum(sizes[common.row + start], sizes[common.col])
        kept = common.data >= share * shorter
        ones, places = np.ones(kept.sum(), dtype=bool), (common.row[kept], common.col[kept])
        links.append(csr_matrix((ones, places), shape=common.shape))
    _, groups = connected_components(vstack(links), directed=False)
    return np.asarray(groups, dtype=np.int64)


def outside_containment(runs: csr_matrix, groups: Groups) -> Floats:
    """Return the share of each document's runs that stand outside its group, ``(N,)``."""
    from scipy.sparse import csr_matrix

    members = (np.ones(len(groups), dtype=np.int32), (groups, np.arange(len(groups))))
    inside: Any = csr_matrix(members, shape=(int(groups.max()) + 1, len(groups))) @ runs
    holders = np.asarray(runs.sum(axis=0)).ravel()
    elsewhere = inside.copy()
    elsewhere.data = (inside.data < holders[inside.indices]).astype(np.int32)
    common = np.asarray(runs.multiply(elsewhere[groups]).sum(axis=1)).ravel()
    return _shares(common, runs)


def _split(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _sizes(runs: csr_matrix) -> Groups:
    return np.asarray(np.diff(runs.indptr), dtype=np.int64)


def _shares(common: npt.NDArray[Any], runs: csr_matrix) -> Floats:
    shares: Floats = common / np.maximum(_sizes(runs), 1)
    return shares
