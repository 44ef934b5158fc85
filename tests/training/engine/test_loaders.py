from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from plumbline.training.engine.loaders import MemoryBatches, fits

ROWS = torch.arange(10)


def order_of(loader: MemoryBatches) -> list[int]:
    return torch.cat([targets for _, targets in loader]).tolist()


def test_an_epoch_is_every_sample_once_with_its_own_target():
    loader = MemoryBatches(ROWS * 100, ROWS, batch_size=4, shuffle=True, seed=3)
    batches = list(loader)
    assert len(batches) == len(loader) == 3
    assert sorted(order_of(loader)) == list(range(10))
    assert all(torch.equal(x, y * 100) for x, y in batches)


def test_batch_sizes_differ_by_at_most_one_so_that_none_has_a_single_sample():
    sizes = [len(y) for _, y in MemoryBatches(ROWS, ROWS, batch_size=3, shuffle=False)]
    assert sizes == [3, 3, 2, 2]


@pytest.mark.parametrize(
    ("rows", "sizes"),
    [
        (32, [8, 8, 8, 8]),
        (33, [5, 4, 4, 4, 4, 4, 4, 4]),
        (60, [8, 8, 8, 8, 7, 7, 7, 7]),
        (3, [1, 1, 1]),
    ],
)
def test_every_update_is_made_from_as_many_batches(rows, sizes):
    loader = MemoryBatches(
        torch.zeros(rows, 1), torch.arange(rows), batch_size=8, accumulate=4, shuffle=False
    )
    assert [len(targets) for _, targets in loader] == sizes
    assert len(loader) == len(sizes)


def test_the_order_is_a_function_of_seed_and_epoch():
    first, second = (
        MemoryBatches(ROWS, ROWS, batch_size=4, shuffle=True, seed=3) for _ in range(2)
    )
    second.set_epoch(1)
    later = order_of(second)
    second.set_epoch(0)
    assert order_of(first) == order_of(second) != later
    assert order_of(MemoryBatches(ROWS, ROWS, batch_size=4, shuffle=True, seed=4)) != later


def test_seed_and_epoch_do_not_stand_for_each_other():
    one = MemoryBatches(ROWS, ROWS, batch_size=10, shuffle=True, seed=3)
    two = MemoryBatches(ROWS, ROWS, batch_size=10, shuffle=True, seed=4)
    one.set_epoch(1)
    assert order_of(one) != order_of(two)


def test_the_order_does_not_depend_on_the_batch_size():
    orders = {
        tuple(order_of(MemoryBatches(ROWS, ROWS, batch_size=size, shuffle=True, seed=3)))
        for size in (1, 3, 10)
    }
    assert len(orders) == 1


def test_without_shuffling_rows_keep_their_order():
    assert order_of(MemoryBatches(ROWS, ROWS, batch_size=4, shuffle=False)) == list(range(10))


def test_the_transform_sees_the_samples_and_the_epoch():
    loader = MemoryBatches(
        ROWS,
        ROWS,
        batch_size=4,
        shuffle=True,
        seed=1,
        transform=lambda batch, samples, epoch: batch + samples * 100 + epoch * 10_000,
    )
    loader.set_epoch(2)
    assert all(torch.equal(x, y + y * 100 + 20_000) for x, y in loader)


def test_lightning_finds_set_epoch_where_it_looks():
    loader = MemoryBatches(ROWS, ROWS, batch_size=4, shuffle=True)
    loader.sampler.set_epoch(5)
    assert loader.epoch == 5


def test_processes_share_an_epoch_without_overlap(monkeypatch):
    seen = []
    for rank in range(3):
        monkeypatch.setattr(
            "plumbline.training.engine.loaders.process_place", lambda rank=rank: (rank, 3)
        )
        loader = MemoryBatches(ROWS, ROWS, batch_size=2, shuffle=True, seed=3)
        part = order_of(loader)
        assert (len(part), len(loader)) == (4, 2)
        seen += part
    assert set(seen) == set(range(10))
    assert len(seen) == 12


@pytest.mark.parametrize(("inputs", "targets"), [(10, 9), (0, 0)])
def test_unequal_or_empty_data_are_refused(inputs, targets):
    message = (
        "training.loaders: inputs and targets must have the same number of rows, at least 1, "
        f"got {inputs} and {targets}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        MemoryBatches(torch.zeros(inputs), torch.zeros(targets), batch_size=2, shuffle=False)


def test_data_are_placed_where_they_leave_room(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (400, 1000))
    gpu = torch.device("cuda", 0)
    assert fits(gpu, torch.zeros(20), None, torch.zeros(5))  # 100 bytes, a quarter of what is free
    assert not fits(gpu, torch.zeros(20), torch.zeros(6))
    assert fits(torch.device("cpu"), torch.zeros(10_000))


def test_a_fit_on_an_accelerator_mixes_no_devices_and_waits_for_no_number():
    script = Path(__file__).parents[1] / "fake_accelerator.py"
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == [
        "fnn", "fnn_of_a_number", "fnn_of_mixed_rows", "cnn_whose_images_are_cropped",
        "timm_whose_images_are_turned", "timm_with_rectangles_and_a_teacher", "rnn", "gan",
    ]  # fmt: skip


def mixed_batch(weights=None):
    loader = MemoryBatches(
        torch.tensor([[0.0], [10.0], [20.0]]), torch.tensor([0, 1, 2]), weights=weights,
        batch_size=2, shuffle=False,
        transform=lambda batch, samples, epoch: batch + samples[:, None],
        mixup=lambda samples, epoch: (2 - samples, torch.tensor([0.75, 0.25])),
    )  # fmt: skip
    return next(iter(loader))


def test_a_mixed_batch_is_that_of_the_sums_by_hand():
    inputs, targets, shares = mixed_batch()
    # Samples 0 and 1 with partners 2 and 1, each moved by its own number.
    assert inputs.flatten().tolist() == [0.75 * 0 + 0.25 * 22, 0.25 * 11 + 0.75 * 11]
    assert targets.tolist() == [0, 1, 2, 1]
    assert shares.tolist() == [1.5, 0.5, 0.5, 1.5]


def test_weights_of_rows_multiply_the_shares_of_a_mixed_batch():
    *_, shares = mixed_batch(torch.tensor([2.0, 1.0, 4.0]))
    assert shares.tolist() == [1.5 * 2, 0.5 * 1, 0.5 * 4, 1.5 * 1]


def test_a_batch_with_rectangles_takes_each_place_from_one_of_two_samples():
    kept = torch.tensor([[1.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0]])
    loader = MemoryBatches(
        torch.tensor([[0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]], dtype=torch.uint8),
        torch.tensor([0, 1, 2]), batch_size=2, shuffle=False,
        mixup=lambda samples, epoch: (2 - samples, torch.tensor([0.75, 0.25]), kept),
    )  # fmt: skip
    inputs, targets, shares = next(iter(loader))
    assert inputs.tolist() == [[0, 1, 22, 3], [10, 11, 12, 13]]
    assert targets.tolist() == [0, 1, 2, 1]
    assert shares.tolist() == [1.5, 0.5, 0.5, 1.5]
