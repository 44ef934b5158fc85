"""The mean over an epoch: its value, and that a checkpoint can hold it."""

from __future__ import annotations

import torch
from torchmetrics import MeanMetric

from plumbline.tasks.epoch_mean import EpochMean

CPU = torch.device("cpu")


def test_it_is_the_mean_over_rows_not_over_batches():
    mean, peer = EpochMean(), MeanMetric()
    for loss, rows in ((1.0, 1), (4.0, 3)):
        mean.update(torch.tensor(loss) * rows, rows)
        peer.update(loss, weight=rows)
    assert mean.compute().item() == peer.compute().item() == 13 / 4


def test_many_batches_are_added_more_exactly_than_by_a_running_sum():
    mean, peer, share = EpochMean(), MeanMetric(), torch.tensor(0.1)
    for _ in range(20_000):
        mean.update(share)
        peer.update(share)
    exact = share.double().item()
    assert abs(mean.compute().item() - exact) < abs(peer.compute().item() - exact) / 10


def test_a_restored_mean_continues_and_is_no_part_of_the_weights():
    straight, first, second = EpochMean(), EpochMean(), EpochMean()
    for number in range(6):
        value = torch.tensor(float(number)).sqrt()
        straight.update(value, number + 1)
        if number == 3:
            second.restore(first.checkpoint(), CPU)
        (first if number < 3 else second).update(value, number + 1)
    assert second.compute().equal(straight.compute())
    assert straight.state_dict() == {}


def test_an_epoch_begins_after_a_reset():
    mean = EpochMean()
    mean.update(torch.tensor(5.0))
    mean.reset()
    mean.update(torch.tensor(2.0))
    assert mean.compute().item() == 2
