"""The tasks: what they draw, and what the best constant prediction gets."""

from __future__ import annotations

import pytest
import torch

from plumbline.studies.sequence.memory_tasks import COPIED, SYMBOLS, TASKS


def draw(name, steps=12, count=4000):
    return TASKS[name].draw(count, steps, torch.Generator().manual_seed(3))


def test_the_target_of_adding_is_the_sum_of_a_number_of_each_half():
    x, y = draw("adding")
    values, marks = x.unbind(2)
    assert set(marks.unique().tolist()) == {0, 1}
    assert (marks[:6].sum(0) == 1).all()
    assert (marks[6:].sum(0) == 1).all()
    for number in range(3):
        assert values[marks[:, number] == 1, number].sum() == pytest.approx(y[0, number].item())


def test_each_symbol_is_asked_for_as_many_steps_later_as_the_length_says():
    x, y = draw("copying")
    assert x.shape == (12 + COPIED, 4000, SYMBOLS + 2)
    assert (x.sum(2) == 1).all()
    assert torch.equal(x[:COPIED].argmax(2), y)
    assert (x[COPIED:12, :, SYMBOLS] == 1).all()
    assert (x[12:, :, SYMBOLS + 1] == 1).all()


def test_the_best_constant_prediction_has_the_error_of_the_baseline():
    _, y = draw("adding")
    outputs = torch.stack([torch.ones(1, 4000, 1), torch.full((1, 4000, 1), 0.8)])
    found = TASKS["adding"].errors(outputs, y[None].repeat(2, 1, 1)).tolist()
    assert found == pytest.approx([1 / 6, 1 / 6 + 0.04], abs=0.01)
    _, y = draw("copying")
    guess = torch.zeros(1, COPIED, 4000, SYMBOLS)
    guess[..., 0] = 1
    assert TASKS["copying"].errors(guess, y[None]).item() == pytest.approx(
        TASKS["copying"].baseline, abs=0.02
    )
    assert TASKS["copying"].losses(0 * guess, y[None]).item() == pytest.approx(1.386, abs=1e-3)
