"""The character network, one character at a time, beside PyTorch's own module."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from plumbline.inference.stepping import Stepper
from plumbline.models.rnn import CharRNN

import measure
from measure import Row, faster, take_turns

VOCABULARY, HIDDEN = 65, 256
CHARACTERS = 1000


def rows() -> Iterator[Row]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield generation()


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


def build(width: int) -> CharRNN:
    return CharRNN(
        vocabulary_size=VOCABULARY, embedding_dim=width, hidden_dim=HIDDEN, layers=1, cell="lstm",
        dropout=0.0, tied=False,
    )  # fmt: skip


if __name__ == "__main__":
    measure.main(rows, __doc__)
