"""Kernels of NumPy, SciPy, scikit-learn and torch, and three trainings: the oldest measurements.

Arithmetic, sizes and order stay as they are: digests of processors that are not at hand any more
were made with them. What is new goes into another group.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.linalg
import scipy.special
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor, nn
from torch.nn import functional

from . import Quantities

LAYOUTS = {"contig": torch.contiguous_format, "last": torch.channels_last}
STEPS = 8


def quantities() -> Quantities:
    random = np.random.default_rng(0)
    yield from arrays(random)
    yield from learners(random)
    yield from networks()


def arrays(random: np.random.Generator) -> Quantities:
    a, b = random.standard_normal((96, 130)), random.standard_normal((130, 70))
    v = random.standard_normal(5000)
    yield "np.dot64", a @ b
    yield "np.dot32", a.astype("f") @ b.astype("f")
    yield "np.exp", np.exp(v)
    yield "np.exp32", np.exp(v.astype("f"))
    yield "np.tanh", np.tanh(v)
    yield "np.log", np.log(abs(v))
    yield "np.sin", np.sin(v)
    yield "np.sum", (np.sum(v), np.sum(v.astype("f")), np.mean(a, axis=0))
    yield "np.sort", np.argsort(v)
    yield "np.sqrt", np.sqrt(abs(v))
    yield "np.power", abs(v) ** 1.7
    gram, shares = a @ a.T, np.linspace(0.01, 0.99, 99)
    yield "eigh", scipy.linalg.eigh(gram, eigvals_only=True)
    yield "svd", scipy.linalg.svdvals(a)
    yield "solve", scipy.linalg.solve(gram + np.eye(96), a)
    special = scipy.special
    yield "special", (special.ndtri(shares), special.betaincinv(3.0, 4.0, shares), special.expit(v))


def learners(random: np.random.Generator) -> Quantities:
    x = random.standard_normal((300, 8))
    y = x[:, 0] + 0.5 * x[:, 1] ** 2 + 0.3 * random.standard_normal(300) > 0.3
    y = y.astype(int)
    yield "logreg", LogisticRegression(max_iter=300).fit(x, y).coef_
    yield "hgb", HistGradientBoostingClassifier(max_iter=20).fit(x, y).predict_proba(x)
    yield "svc", SVC().fit(x, y).decision_function(x)
    yield "tree", DecisionTreeClassifier(random_state=0).fit(x, y).predict_proba(x)


def networks() -> Quantities:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    yield "t.randn", draw(1000)
    x, w = draw(33, 257), draw(65, 257)
    yield "t.linear", functional.linear(x, w)
    yield "t.bmm", torch.bmm(draw(3, 20, 31), draw(3, 31, 17))
    yield "t.exp", x.exp()
    yield "t.tanh", x.tanh()
    yield "t.sigmoid", x.sigmoid()
    yield "t.gelu", functional.gelu(x)
    yield "t.softmax", x.softmax(-1)
    yield "t.lsm", x.log_softmax(-1)
    yield "t.sum", (x.sum(), x.sum(0), x.sum(1))
    yield "t.ln", functional.layer_norm(x, (257,))
    yield "t.erfinv", torch.special.erfinv(x.tanh() * 0.99)
    yield "t.std", x.std(0)
    images = draw(8, 3, 32, 32)
    for name, layout in LAYOUTS.items():
        laid = images.contiguous(memory_format=layout)
        yield f"t.conv.{name}", functional.conv2d(laid, draw(16, 3, 3, 3), padding=1)
        maps = draw(4, 16, 16, 16).contiguous(memory_format=layout)
        yield f"t.dw.{name}", functional.conv2d(maps, draw(16, 1, 3, 3), groups=16, padding=1)
        maps = draw(4, 16, 8, 8).contiguous(memory_format=layout)
        weights = draw(16, 8, 4, 4)
        yield f"t.convT.{name}", functional.conv_transpose2d(maps, weights, stride=2, padding=1)
    grid = torch.rand(8, 16, 16, 2, generator=generator) * 2 - 1
    yield "t.grid", functional.grid_sample(images, grid, align_corners=False)
    yield from trainings(x, images, generator)


def trainings(x: Tensor, images: Tensor, generator: torch.Generator) -> Quantities:
    torch.manual_seed(0)
    layers = (nn.Linear(257, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10))
    yield "train.mlp", train(nn.Sequential(*layers), x, torch.arange(33) % 10)
    yield "train.cnn", train(convolutions(), images, torch.arange(8))
    cells = Recurrent()
    tokens = torch.randint(0, 60, (16, 8), generator=generator)
    yield "train.lstm", train(cells, tokens, tokens.flatten())


def train(network: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    loss: Callable[..., Tensor] = functional.cross_entropy
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss(network(inputs), targets).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    return tuple(network.parameters())


def convolutions() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1, stride=2),
        nn.SiLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 10),
    )


class Recurrent(nn.Module):
    """Embedding, LSTM, projection."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(60, 24)
        self.cells = nn.LSTM(24, 48)
        self.projection = nn.Linear(48, 60)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits, a row per token."""
        found: Tensor = self.projection(self.cells(self.embedding(tokens))[0])
        return found.flatten(0, 1)
