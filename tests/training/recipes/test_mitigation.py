"""Mitigation in training: none is the plain fit bit by bit, and each narrows its gap."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from plumbline import artifacts
from plumbline.errors import ParamsError
from plumbline.mitigation.preprocessing.weights import training_plan
from plumbline.mitigation.problem import read_problem
from plumbline.params.models import FnnParams, Optimisation
from plumbline.training.data_modules.examples import Examples
from plumbline.training.recipes.mitigation import TrainingMitigation
from plumbline.training.recipes.tables import fit_fnn
from tests.mitigation.conftest import write_prepared
from tests.prepared_folders import FNN_OFF, OFF, PLAIN
from tests.training.conftest import OPTIMISATION

SHAPE = {
    **FNN_OFF,
    "classification": PLAIN,
    "hidden": [8],
    "activation": "relu",
    "dropout": 0.2,
    "norm": "none",
    "init": "default",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_prepared(tmp_path_factory.mktemp("made"), n=1200)


@pytest.fixture(scope="module")
def problem(data):
    return read_problem(data, attribute="sex")


@pytest.fixture
def fit(data, context, optimisation):
    def run(mitigation=None, epochs=8):
        settings = optimisation(max_epochs=epochs, patience=epochs, batch_size=64)
        parameters = FnnParams(**SHAPE, optimisation=settings)
        return fit_fnn(parameters, data=data, context=context(), mitigation=mitigation)

    return run


def mitigation(name, problem, strength=1.0):
    return TrainingMitigation(**training_plan(name, problem, strength, adversary_lr=0.1, seed=3))


def logits(fitted, data, problem):
    table = artifacts.read_split_table(data)
    rows = table[table["split"] == "train"]
    x = torch.tensor(rows[list(problem.schema.features)].to_numpy("float32"))
    with torch.inference_mode():
        outputs = fitted.network.eval()(x)
    return (outputs[:, 1] - outputs[:, 0]).double().numpy()


@pytest.mark.parametrize("name", ["none", "regulariser", "group_dro", "adversarial"])
def test_without_strength_the_weights_are_those_of_the_plain_fit_bit_by_bit(name, fit, problem):
    plain, same = fit(), fit(mitigation(name, problem, 0.0))
    assert plain.history.entries == same.history.entries
    for key, value in plain.network.state_dict().items():
        assert torch.equal(value, same.network.state_dict()[key]), key


@pytest.mark.parametrize("name", ["reweighing", "resampling", "regulariser", "group_dro"])
def test_with_strength_they_are_not(name, fit, problem):
    plain, other = (fit(chosen, epochs=2) for chosen in (None, mitigation(name, problem)))
    assert not torch.equal(plain.network.head.weight, other.network.head.weight)


@pytest.mark.parametrize(("name", "strength"), [("regulariser", 10.0), ("adversarial", 3.0)])
def test_the_logits_of_groups_come_nearer_within_each_class(name, strength, fit, data, problem):
    def apart(fitted):
        z, rows = logits(fitted, data, problem), problem.train
        return [
            abs(np.subtract(*(z[(rows.y == y) & (rows.group == g)].mean() for g in (0, 1))))
            for y in (0, 1)
        ]

    plain, narrowed = (
        apart(fit(epochs=12)),
        apart(fit(mitigation(name, problem, strength), epochs=12)),
    )
    assert sum(plain) > 2
    assert sum(narrowed) < sum(plain) / 2


def test_group_dro_lowers_the_loss_of_the_worst_cell(fit, data, problem):
    def worst(fitted):
        z, rows = torch.tensor(logits(fitted, data, problem)), problem.train
        target = torch.tensor(rows.y).double()
        losses = functional.binary_cross_entropy_with_logits(z, target, reduction="none").numpy()
        cell = 2 * rows.group + rows.y
        return max(losses[cell == code].mean() for code in range(4))

    assert (
        worst(fit(mitigation("group_dro", problem, 0.1), epochs=12)) < worst(fit(epochs=12)) - 0.1
    )


def test_reweighed_rows_raise_the_group_with_the_lower_base_rate(fit, data, problem):
    """Label and group become independent: the group of rarer positives gets higher scores."""

    def between(fitted):
        z, rows = logits(fitted, data, problem), problem.train
        return z[rows.group == 1].mean() - z[rows.group == 0].mean()

    plain = between(fit(epochs=12))
    assert between(fit(mitigation("reweighing", problem), epochs=12)) < plain - 0.2
    assert between(fit(mitigation("resampling", problem), epochs=12)) < plain - 0.2


def test_weights_of_the_data_multiply_those_of_the_mitigation(problem):
    from plumbline.training.data_modules.examples import Examples

    plan = mitigation("reweighing", problem)
    inputs, targets = torch.tensor(problem.train.x), torch.tensor(problem.train.y)
    train = Examples(inputs, targets, torch.full((len(targets),), 2.0))
    val = Examples(torch.tensor(problem.val.x), torch.tensor(problem.val.y))
    made, held = plan.examples(train, val)
    torch.testing.assert_close(made.weights, 2 * torch.tensor(plan.weight, dtype=torch.float32))
    assert held.weights is None
    np.testing.assert_array_equal(made.targets % 2, problem.train.y)
    np.testing.assert_array_equal(made.targets // 2, problem.train.group)


def test_the_cells_of_group_dro_begin_with_their_shares_of_the_weights(problem):
    """Whole weights are repeated rows: each cell's share is counted out on those."""
    from plumbline.tasks.group_losses import GroupDro
    from plumbline.training.data_modules.examples import Examples

    plan = mitigation("group_dro", problem)
    inputs, targets = torch.tensor(problem.train.x), torch.tensor(problem.train.y)
    times = np.random.default_rng(0).integers(1, 4, len(targets))
    val = Examples(torch.tensor(problem.val.x), torch.tensor(problem.val.y))
    made, _ = plan.examples(Examples(inputs, targets, torch.tensor(times).float()), val)
    task = plan.task(torch.nn.Linear(3, 2), None, made)
    assert isinstance(task, GroupDro)
    repeated = np.bincount(np.repeat(made.targets.numpy(), times))
    np.testing.assert_allclose(task.shares, repeated / repeated.sum(), rtol=1e-6)


@pytest.mark.parametrize("name", ["none", "reweighing", "group_dro"])
def test_class_weights_and_threshold_hold_in_mitigated_fits(name, data, problem, context):
    settings = Optimisation(**{**OPTIMISATION, "max_epochs": 2, "batch_size": 64})
    how = {"class_weights": "balanced", "decision": "f1"}
    parameters = FnnParams(**{**SHAPE, "classification": how}, optimisation=settings)
    fitted = fit_fnn(parameters, data=data, context=context(), mitigation=mitigation(name, problem))
    facts = fitted.config.facts
    y = problem.train.y
    weights = [len(y) / (2 * count) for count in np.bincount(y)]
    # Reweighing keeps the shares of the labels.
    assert list(facts["class_weights"].values()) == pytest.approx(weights, rel=1e-5)
    decision = fitted.config.decision()
    assert (decision.positive, decision.chosen_for, decision.rows) == (
        "yes",
        "f1",
        len(problem.val),
    )


def test_the_shares_of_group_dro_count_rows_by_the_weights_of_their_classes(problem):
    plan = mitigation("group_dro", problem)
    inputs = torch.zeros(len(problem.train), 1)
    train = Examples(inputs, torch.tensor(problem.train.group * 2 + problem.train.y))
    by_class = torch.tensor([0.5, 2.0])
    settings = Optimisation(**OPTIMISATION)
    task = plan.task(torch.nn.Identity(), settings, train, by_class)
    weighted = torch.bincount(train.targets, by_class[train.targets % 2])
    assert task.shares.tolist() == pytest.approx((weighted / weighted.sum()).tolist())


def test_rows_are_not_mixed_in_mitigated_fits(data, problem, context):
    changes = {"regularisation": {**OFF, "mixup": 0.2}}
    parameters = FnnParams(**{**SHAPE, **changes}, optimisation=Optimisation(**OPTIMISATION))
    with pytest.raises(ParamsError, match=r"mixup must be 0 with a mitigation, got 0\.2"):
        fit_fnn(
            parameters, data=data, context=context(), mitigation=mitigation("reweighing", problem)
        )
