"""Fits that make several updates in a pass have the bits of those that make one."""

from __future__ import annotations

import re

import pytest
import torch

from plumbline.errors import TrainingError
from plumbline.mitigation.preprocessing.weights import training_plan
from plumbline.mitigation.problem import read_problem
from plumbline.params.models import FnnParams
from plumbline.training.engine import bundles
from plumbline.training.engine.bundles import MOST, WORK, Bundle, Bundles, bundle_size
from plumbline.training.engine.loaders import MemoryBatches
from plumbline.training.recipes.mitigation import TrainingMitigation
from plumbline.training.recipes.supervised import fit_fnn
from tests.mitigation.conftest import write_prepared
from tests.prepared_folders import write_table_folder
from tests.training.engine.test_resume import digest

SHAPE = {"hidden": [8], "activation": "relu", "dropout": 0.3, "norm": "batch", "init": "default"}


def loader(rows: int = 10, **changes) -> MemoryBatches:
    defaults = {"batch_size": 2, "shuffle": True, "seed": 3}
    return MemoryBatches(torch.zeros(rows, 1), torch.arange(rows), **{**defaults, **changes})


def samples(batches) -> list[list[int]]:
    return [targets.tolist() for _, targets in batches]


@pytest.fixture
def fit(tmp_path, context, optimisation, trainer_params, monkeypatch):
    """A fit of so many updates a pass at most, and the sizes of its passes."""
    table = write_table_folder(tmp_path / "table")

    def run(most: int, *, data=table, mitigation=None, trainer=None, epochs=3, **changes):
        sizes: list[int] = []

        class Noting(Bundles):
            def batches(self, first):
                for bundle in super().batches(first):
                    sizes.append(len(bundle))
                    yield bundle

        monkeypatch.setattr(bundles, "MOST", most)
        monkeypatch.setattr(bundles, "Bundles", Noting)
        parameters = FnnParams(**SHAPE, optimisation=optimisation(max_epochs=epochs, **changes))
        place = context(trainer=trainer_params(**(trainer or {})))
        fitted = fit_fnn(parameters, data=data, context=place, mitigation=mitigation)
        return fitted, sizes

    return run


def results(fitted) -> tuple:
    weights = digest(fitted.network.state_dict())
    return weights, fitted.history.entries, fitted.config.facts["steps"]


def test_a_bundle_holds_the_next_batches_in_their_order():
    for epoch in (0, 1):
        single, several = loader(), Bundles(loader(), size=2)
        single.set_epoch(epoch)
        several.set_epoch(epoch)
        batches = samples(single)
        found = [samples(bundle) for bundle in several]
        assert found == [batches[:2], batches[2:4], batches[4:]]
        assert len(several) == 3


def test_a_position_counts_bundles_and_is_answered_in_batches():
    several = Bundles(loader(), size=2)
    whole = [samples(bundle) for bundle in several]
    several.load_state_dict({"batch": 2})
    assert [samples(bundle) for bundle in several] == whole[2:]
    assert [several.batches_in(n) for n in range(8)] == [0, 2, 4, 5, 7, 9, 10, 12]


def test_a_bundle_is_moved_whole():
    moved = Bundle(loader()).to(torch.device("meta"))
    assert isinstance(moved, Bundle)
    assert {part.device.type for batch in moved for part in batch} == {"meta"}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "sgd", "gradient_clip": 0.0, "label_smoothing": 0.1},
        {"gradient_clip": 0.01, "schedule": "constant"},
    ],
)
def test_bundles_change_no_bit(fit, changes):
    single, none = fit(1, **changes)
    pairs, sizes = fit(3, **changes)
    whole, epochs = fit(64, **changes)
    assert none == []
    assert sizes == [3, 1] * 3  # 60 rows in batches of at most 16
    assert epochs == [4] * 3
    assert results(single) == results(pairs) == results(whole)
    assert results(single)[2] == 12


@pytest.mark.parametrize("precision", ["64-true", "bf16-true"])
def test_bundles_change_no_bit_in_another_precision(fit, precision):
    single, _ = fit(1, trainer={"precision": precision})
    whole, sizes = fit(64, trainer={"precision": precision})
    assert sizes == [4] * 3
    assert single.history.entries == whole.history.entries
    for name, value in single.network.state_dict().items():
        assert torch.equal(value, whole.network.state_dict()[name]), name


@pytest.mark.parametrize("scheme", ["regulariser", "group_dro", "adversarial"])
def test_bundles_change_no_bit_of_a_loss_that_knows_groups(fit, tmp_path, scheme):
    data = write_prepared(tmp_path / "made", n=300)
    problem = read_problem(data, attribute="sex")
    plan = training_plan(scheme, problem, 0.5, adversary_lr=0.1, seed=3)
    single, _ = fit(1, data=data, mitigation=TrainingMitigation(**plan))
    whole, sizes = fit(64, data=data, mitigation=TrainingMitigation(**plan))
    assert min(sizes) > 1
    assert results(single) == results(whole)


def test_the_batch_of_a_loss_that_is_not_finite_is_named_as_in_single_updates(fit):
    def message(most: int) -> str:
        with pytest.raises(TrainingError) as caught:
            fit(most, optimizer="sgd", lr=1e18, gradient_clip=0.0, warmup_fraction=0.0)
        return str(caught.value)

    alone = message(1)
    assert int(re.search(r"at batch (\d+)", alone)[1]) > 1
    assert message(2) == message(64) == alone


@pytest.mark.parametrize(
    ("changes", "traced", "accumulate"),
    [
        ({"checkpoint_seconds": 0}, False, 1),
        ({"devices": 2}, False, 1),
        ({"devices": "auto"}, False, 1),
        ({"num_nodes": 2}, False, 1),
        ({"strategy": "ddp"}, False, 1),
        ({"precision": "bf16-mixed"}, False, 1),
        ({"precision": "16-mixed"}, False, 1),
        ({}, True, 1),
        ({}, False, 2),
    ],
)
def test_a_fit_that_is_watched_shared_or_accumulates_has_a_pass_for_each_batch(
    trainer_params, optimisation, changes, traced, accumulate
):
    size = bundle_size(
        10,
        trainer=trainer_params(**changes),
        optimisation=optimisation(accumulate=accumulate),
        traced=traced,
    )
    assert size == 1


@pytest.mark.parametrize(
    ("weights", "size"), [(10, MOST), (WORK // 16 // 5, 5), (WORK // 16, 1), (WORK, 1)]
)
def test_a_pass_is_bounded_in_updates_and_in_work(trainer_params, optimisation, weights, size):
    found = bundle_size(
        weights, trainer=trainer_params(), optimisation=optimisation(batch_size=16), traced=False
    )
    assert found == size


def test_the_data_of_bundled_batches_are_placed_with_them():
    batches = loader()
    Bundles(batches, size=2).place(torch.device("meta"))
    assert {batches.inputs.device.type, batches.targets.device.type} == {"meta"}
