"""Tell from its beginning which package a docstring is of: by counts, and by a 1-D convolution.

Kim, "Convolutional Neural Networks for Sentence Classification" (2014),
https://arxiv.org/abs/1408.5882; here over characters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from plumbline.data.text.docstrings import read_docstrings
from plumbline.models.layers import seeded_weights
from plumbline.studies.transfer import image_networks

if TYPE_CHECKING:
    from plumbline.params.transfer import TextParams

BAGS = {"characters": (1, 1), "n-grams": (1, 3)}  # lengths of what is counted
CNN = "convolution"
_CODES = 128  # ASCII; other characters are 0


class _Network(nn.Module):
    """Embedding → 1-D convolution → ReLU → maximum over all places → linear."""

    def __init__(self, channels: int, kernel: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(_CODES, 16)
        self.convolution = nn.Conv1d(16, channels, kernel)
        self.head = nn.Linear(channels, classes)

    def forward(self, codes: Tensor) -> Tensor:
        """Codes ``(N, L)`` → logits ``(N, K)``."""
        maps = self.convolution(self.embedding(codes).transpose(1, 2))
        logits: Tensor = self.head(maps.relu().amax(2))
        return logits


def read(options: TextParams) -> tuple[list[str], np.ndarray[Any, np.dtype[np.int64]]]:
    """Return the beginnings of docstrings and the number of the package of each.

    Those that name one of the packages are left out.
    """
    found = [
        (document.text[: options.length].lower(), code)
        for code, package in enumerate(options.packages)
        for document in read_docstrings(package)
    ]
    kept = {text: code for text, code in found if not any(p in text for p in options.packages)}
    return list(kept), np.array(list(kept.values()))


def measure(options: TextParams, seeds: int, seed: int) -> list[dict[str, Any]]:
    """Return the test accuracy of each model and seed; seeds divide the texts anew."""
    texts, targets = read(options)
    rows = []
    for number in range(seeds):
        own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        order = np.random.default_rng(own).permutation(len(targets))
        train, test = np.split(order[: options.rows + options.test_rows], [options.rows])
        found = {
            name: _count(texts, targets, train, test, lengths) for name, lengths in BAGS.items()
        }
        found[CNN] = _convolve(texts, targets, train, test, options, own)
        rows += [
            {"part": "text", "network": name, "seed": number, "accuracy": accuracy}
            for name, accuracy in found.items()
        ]
    return rows


def _count(
    texts: list[str], targets: Any, train: Any, test: Any, lengths: tuple[int, int]
) -> float:
    """Return the accuracy of logistic regression on the logarithms of counts."""
    counter = CountVectorizer(analyzer="char", ngram_range=lengths, lowercase=False)
    x, other = (counter_of([texts[row] for row in part]) for counter_of, part in (
        (counter.fit_transform, train), (counter.transform, test)))  # fmt: skip
    model = LogisticRegression(max_iter=1000).fit(x.log1p(), targets[train])
    return float(model.score(other.log1p(), targets[test]))


def _convolve(
    texts: list[str], targets: Any, train: Any, test: Any, options: TextParams, seed: int
) -> float:
    codes = torch.zeros(len(texts), options.length, dtype=torch.int64)
    for row, text in enumerate(texts):
        own = torch.tensor([ord(c) if ord(c) < _CODES else 0 for c in text])
        codes[row, : len(own)] = own
    with seeded_weights(seed):
        network = _Network(options.channels, options.kernel, len(options.packages))
    y = torch.tensor(targets)
    for _ in image_networks.fit(
        network, codes[train], y[train], epochs=options.epochs, batch_size=options.batch_size,
        lr=options.lr, seed=seed,
    ):  # fmt: skip
        pass
    with torch.no_grad():
        return float((network(codes[test]).argmax(1) == y[test]).double().mean())
