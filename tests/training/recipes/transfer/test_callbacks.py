from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from torch import nn

from plumbline.errors import ParamsError
from plumbline.training.recipes.transfer.callbacks import AverageWeights, OpenParts


def linear(weight: float) -> nn.Linear:
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, weight)
    return network


def test_weights_are_averaged_over_updates_and_replaced_at_the_end():
    network, trainer = linear(8.0), SimpleNamespace(global_step=0)
    average = AverageWeights(network, decay=0.75)
    average.on_train_start(trainer, network)
    for step, weight in ((1, 4.0), (1, 99.0), (2, 0.0)):  # the second batch updates nothing
        trainer.global_step = step
        nn.init.constant_(network.weight, weight)
        average.on_train_batch_end(trainer, network, None, None, 0)
    average.on_train_end(trainer, network)
    # 8 → 0.75 · 8 + 0.25 · 4 = 7 → 0.75 · 7 + 0.25 · 0
    assert network.weight.item() == 5.25


def test_an_average_goes_on_from_a_checkpoint():
    trainer = SimpleNamespace(global_step=1)
    first = AverageWeights(linear(8.0), decay=0.75)
    first.on_train_start(trainer, None)
    network = linear(4.0)
    second = AverageWeights(network, decay=0.75)
    second.load_state_dict(first.state_dict())
    second.on_train_start(trainer, None)
    second.on_train_batch_end(trainer, None, None, None, 0)
    second.on_train_end(trainer, None)
    assert network.weight.item() == 7.0


def test_parts_are_opened_by_the_number_of_the_epoch():
    seen = []
    callback = OpenParts(seen.append)
    callback.on_train_start(SimpleNamespace(current_epoch=4), None)
    callback.on_train_epoch_start(SimpleNamespace(current_epoch=5), None)
    assert seen == [4, 5]


@pytest.mark.parametrize("callback", [OpenParts(print), AverageWeights(linear(1.0), decay=0.5)])
def test_several_processes_are_refused(callback):
    message = (
        "finetune: trainer.devices must be 1 where parts of a network are frozen or its weights "
        "averaged, got 2 processes; use one, or the strategy full"
    )
    with pytest.raises(ParamsError, match=f"^{re.escape(message)}$"):
        callback.setup(SimpleNamespace(world_size=2), None, "fit")
    callback.setup(SimpleNamespace(world_size=1), None, "fit")
