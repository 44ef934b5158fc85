"""Text sampled from a character model: temperature, top-k and one seeded generator."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from plumbline import artifacts
from plumbline.inference.stepping import Stepper
from plumbline.models.rnn import CharRNN


def next_code(
    logits: Tensor, *, temperature: float, top_k: int, generator: torch.Generator
) -> Tensor:
    """Draw one character code from logits.

    Parameters
    ----------
    logits : Tensor
        ``(V,)``. Code 0 means all characters too rare to have a code: it is never drawn.
    temperature : float
        Divides the logits: 1 samples from the model, towards 0 the likeliest character wins.
    top_k : int
        Sample among the ``k`` likeliest characters; 0 means among all.
    generator : torch.Generator

    Raises
    ------
    ValueError
        If ``temperature`` is not positive or ``top_k`` is negative.
    """
    if not temperature > 0:
        raise ValueError(f"sampling: temperature must be > 0, got {temperature}")
    if top_k < 0:
        raise ValueError(f"sampling: top_k must be >= 0, got {top_k}")
    # In double precision a small temperature neither overflows nor rounds the odds away.
    candidates = logits[1:].double()
    codes = torch.arange(1, len(logits), device=logits.device)
    if 0 < top_k < len(candidates):
        candidates, places = candidates.topk(top_k)
        codes = codes[places]
    odds = torch.softmax((candidates - candidates.max()) / temperature, dim=0)
    return codes[torch.multinomial(odds, 1, generator=generator)].squeeze(0)


def sample_text(
    model: CharRNN,
    *,
    vocabulary: Sequence[str],
    prompt: str,
    characters: int,
    temperature: float,
    top_k: int,
    seed: int,
) -> str:
    """Return the prompt and ``characters`` more, sampled one by one.

    Parameters
    ----------
    model : CharRNN
        In evaluation mode.
    vocabulary : sequence of str
        Character of each code; see `artifacts.read_vocabulary`.
    prompt : str
        Beginning of the document; may be empty.
    characters : int
        Number of characters to sample.
    temperature, top_k
        See `next_code`.
    seed : int
        Seed of all draws; equal arguments give equal text.
    """
    generator = torch.Generator().manual_seed(seed)
    stepper = Stepper(model)
    for code in (model.begin, *artifacts.encode_text(prompt, vocabulary)):
        logits = stepper.read(int(code))
    drawn: list[int] = []
    for _ in range(characters):
        code = next_code(
            torch.from_numpy(logits), temperature=temperature, top_k=top_k, generator=generator
        )
        drawn.append(int(code))
        logits = stepper.read(drawn[-1])
    return prompt + artifacts.decode_text(drawn, vocabulary)
