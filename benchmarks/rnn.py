"""The character network: one character at a time, and training, beside PyTorch's own modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from plumbline.inference.stepping import Stepper
from plumbline.models.rnn import CharRNN

import measure
from measure import Row, faster, take_turns

VOCABULARY, HIDDEN, STEPS, STREAMS = 65, 256, 64, 64
CHARACTERS = 1000
DEFAULT = (
    "Below the vocabulary's size an embedding is read as it is, so both sides do the same work."
)
PRODUCTS = (
    "Of a chunk's products 6.4 GFLOP are recurrent and 0.4 the projection's in all three, "
    "and the embedding adds 6.4 to the peers' and at most 1.7 to ours. At one rate that is 1.6 "
    "times, and 1.9 if the embedding cost nothing."
)

Loss = Callable[[CharRNN, Tensor, Tensor], Tensor]


def rows() -> Iterator[Row]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield generation()
    yield from training()


def generation() -> Row:
    model = build(64).eval()
    codes = np.random.default_rng(0).integers(VOCABULARY, size=CHARACTERS).tolist()

    def ours() -> np.ndarray:
        stepper = Stepper(model)
        return np.stack([stepper.read(code) for code in codes])

    @torch.inference_mode()
    def peer() -> np.ndarray:
        found, state = [], None
        for code in codes:
            logits, state = model(torch.tensor([[code]]), state)
            found.append(logits[0, 0])
        return torch.stack(found).numpy()

    np.testing.assert_allclose(ours(), peer(), rtol=0, atol=2e-6)
    return faster(
        13, "character generation, logits", f"{CHARACTERS:,} characters, H={HIDDEN}",
        "nn.LSTM step by step, inference mode", take_turns(ours, peer), goal=8,
        note="1 thread; equal to 2e-6",
    )  # fmt: skip


def training() -> Iterator[Row]:
    """Time the gradients of one chunk; the peers have the same weights."""
    codes = torch.randint(VOCABULARY, (STEPS, STREAMS))
    targets = torch.randint(VOCABULARY, (STEPS, STREAMS))
    for width, goal, why in ((256, 1.2, ""), (64, None, DEFAULT)):
        model = build(width)
        works = [gradients(model, loss, codes, targets) for loss in (ours, whole, stepwise)]
        first, *others = [work() for work in works]
        for other in others:
            for a, b in zip(first, other, strict=True):
                torch.testing.assert_close(a, b, rtol=0, atol=1e-6)
        turns = take_turns(*works, turns=9)
        size = f"V={VOCABULARY}, E={width}, H={HIDDEN}, T={STEPS}, N={STREAMS}"
        peers = (("nn.LSTM with embedding", goal), ("char-rnn loop, a call per step", goal and 2.5))
        for which, (peer, least) in enumerate(peers, start=1):
            yield faster(
                13, "LSTM training, one chunk", size, peer, turns, goal=least, which=which,
                note=("1 thread; equal gradients" if goal else f"1 thread. {why}"),
                why=PRODUCTS,
            )  # fmt: skip


def gradients(
    model: CharRNN,
    loss: Callable[[CharRNN, Tensor, Tensor], Tensor],
    codes: Tensor,
    targets: Tensor,
) -> Callable[[], list[Tensor]]:
    def work() -> list[Tensor]:
        model.zero_grad()
        loss(model, codes, targets).backward()
        return [parameter.grad.clone() for parameter in model.parameters()]

    return work


def ours(model: CharRNN, codes: Tensor, targets: Tensor) -> Tensor:
    return cross_entropy(model(codes)[0].flatten(0, 1), targets.flatten())


def whole(model: CharRNN, codes: Tensor, targets: Tensor) -> Tensor:
    hidden, _ = model.cell(model.embedding(codes))
    return cross_entropy(model.projection(hidden).flatten(0, 1), targets.flatten())


def stepwise(model: CharRNN, codes: Tensor, targets: Tensor) -> Tensor:
    state, total = None, 0.0
    for step, target in zip(codes, targets, strict=True):
        hidden, state = model.cell(model.embedding(step)[None], state)
        total = total + cross_entropy(model.projection(hidden[0]), target)
    return total / len(codes)


def build(width: int) -> CharRNN:
    return CharRNN(
        vocabulary_size=VOCABULARY, embedding_dim=width, hidden_dim=HIDDEN, layers=1, cell="lstm",
        dropout=0.0, tied=False,
    )  # fmt: skip


if __name__ == "__main__":
    measure.main(rows, __doc__)
