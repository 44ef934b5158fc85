"""Text sampling: temperature, top-k, seeds, and the code that is never drawn."""

from __future__ import annotations

import pytest
import torch

from plumbline.inference.sampling import next_code, sample_text
from plumbline.models.rnn import CharRNN

VOCABULARY = ("\ufffd", "a", "b", "c", "d")
LOGITS = torch.tensor([9.0, 0.0, 2.0, 1.0, -3.0])  # code 0 would win everywhere


def draws(count: int = 4000, *, temperature: float = 1.0, top_k: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    codes = [
        next_code(LOGITS, temperature=temperature, top_k=top_k, generator=generator)
        for _ in range(count)
    ]
    return torch.bincount(torch.stack(codes), minlength=5) / count


def model() -> CharRNN:
    torch.manual_seed(0)
    return CharRNN(
        vocabulary_size=5,
        embedding_dim=4,
        hidden_dim=8,
        layers=1,
        cell="gru",
        dropout=0.5,
        tied=False,
    )


def text(network: CharRNN | None = None, **changes: object) -> str:
    arguments = {
        "vocabulary": VOCABULARY,
        "prompt": "ab",
        "characters": 50,
        "temperature": 1.0,
        "top_k": 0,
        "seed": 1,
        **changes,
    }
    return sample_text(network or model(), **arguments)  # type: ignore[arg-type]


def test_at_temperature_one_codes_come_with_the_models_odds() -> None:
    expected = LOGITS[1:].softmax(0)
    # Standard error of a share of 4000 draws is at most 0.008.
    torch.testing.assert_close(draws()[1:], expected, rtol=0, atol=0.03)


def test_the_temperature_divides_the_logits() -> None:
    expected = (LOGITS[1:] / 2.5).softmax(0)
    torch.testing.assert_close(draws(temperature=2.5)[1:], expected, rtol=0, atol=0.03)


def test_top_k_leaves_the_odds_among_the_k_likeliest() -> None:
    found = draws(top_k=2)
    expected = LOGITS[[2, 3]].softmax(0)
    torch.testing.assert_close(found[[2, 3]], expected, rtol=0, atol=0.03)
    assert found[[0, 1, 4]].eq(0).all()


@pytest.mark.parametrize("choice", [{"temperature": 1e-6}, {"top_k": 1}, {"temperature": 1e-300}])
def test_a_vanishing_temperature_and_a_single_candidate_give_the_likeliest(
    choice: dict[str, float],
) -> None:
    assert draws(50, **choice)[2] == 1  # type: ignore[arg-type]


def test_the_code_of_rare_characters_is_never_drawn() -> None:
    assert draws(500, temperature=100.0)[0] == 0
    network = model()
    with torch.no_grad():
        network.projection.bias[0] = 50.0
    assert "\ufffd" not in text(network, characters=200)


def test_greedy_text_is_the_argmax_of_the_network_at_every_step() -> None:
    network = model().eval()
    codes = [network.begin, 1, 2]
    with torch.no_grad():
        for _ in range(12):
            logits, _ = network(torch.tensor(codes)[:, None])
            codes.append(int(logits[-1, 0, 1:].argmax()) + 1)
    expected = "".join(VOCABULARY[code] for code in codes[1:])
    assert text(network, characters=12, top_k=1) == expected
    assert text(network, characters=12, temperature=1e-9, seed=5) == expected


def test_equal_seeds_give_equal_text_and_others_do_not() -> None:
    assert text() == text()
    assert text() != text(seed=2)
    assert text().startswith("ab")
    assert len(text()) == 52


def test_dropout_is_off_while_sampling() -> None:
    network = model().train()
    assert text(network) == text(network.eval())


def test_an_empty_prompt_begins_a_document() -> None:
    assert len(text(prompt="", characters=3)) == 3


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_temperature_must_be_positive(temperature: float) -> None:
    message = f"^sampling: temperature must be > 0, got {temperature}$"
    with pytest.raises(ValueError, match=message):
        draws(1, temperature=temperature)


def test_top_k_must_not_be_negative() -> None:
    with pytest.raises(ValueError, match=r"^sampling: top_k must be >= 0, got -1$"):
        draws(1, top_k=-1)
