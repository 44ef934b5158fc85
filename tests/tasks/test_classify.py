from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torchmetrics.functional.classification import binary_auroc, multiclass_accuracy

from plumbline.metrics.scores.classification import weighted_metrics
from plumbline.tasks.classify import ClassifierTask, RegressionTask, SupervisedTask

SETTINGS = SimpleNamespace(
    optimizer="adamw",
    lr=0.1,
    weight_decay=0.0,
    schedule="constant",
    warmup_fraction=0.0,
    label_smoothing=0.3,
    beta2=0.999,
)


def test_cross_entropy_is_smoothed_in_training_only():
    task = ClassifierTask(nn.Identity(), settings=SETTINGS)
    logits, target = torch.tensor([[math.log(3.0), 0.0, 0.0]]), torch.tensor([0])
    # Softmax (3, 1, 1) / 5; smoothing spreads 0.3 over three classes.
    plain = -math.log(3 / 5)
    smoothed = 0.7 * plain + 0.1 * (plain - 2 * math.log(1 / 5))
    assert task.loss(logits, target, training=False).item() == pytest.approx(plain)
    assert task.loss(logits, target, training=True).item() == pytest.approx(smoothed)


def test_classification_metrics_by_hand():
    task = ClassifierTask(nn.Identity(), settings=SETTINGS)
    logits = torch.tensor([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    targets = torch.tensor([0, 0, 0, 1, 1])
    found = {k: v.item() for k, v in task.validation_metrics(logits, targets).items()}
    # 4 of 5 right; recalls 1 and 1/2; every pair of a 1 and a 0 is ordered rightly.
    assert found == pytest.approx({"accuracy": 0.8, "balanced_accuracy": 0.75, "auroc": 1.0})


@pytest.mark.parametrize("classes", [2, 5])
def test_classification_metrics_are_those_of_the_report(classes):
    torch.manual_seed(0)
    # Logits in eighths, whose differences are exact: many scores are tied.
    logits, targets = (8 * torch.randn(300, classes)).round() / 8, torch.arange(300) % classes
    scores = logits.double().softmax(1).numpy()
    report = weighted_metrics(targets, scores.argmax(1), scores)
    found = ClassifierTask(nn.Identity(), settings=SETTINGS).validation_metrics(logits, targets)
    assert len(found) == (3 if classes == 2 else 2)
    for name, value in found.items():
        assert value.item() == pytest.approx(report[name].item(), abs=1e-6), name


def test_a_class_that_is_decided_and_has_no_row_is_no_class_of_balanced_accuracy():
    """The report leaves it out; torchmetrics' own mean counts it as a class with a recall of 0."""
    task = ClassifierTask(nn.Identity(), settings=SETTINGS)
    logits, targets = torch.eye(3)[[0, 1, 1, 2]], torch.tensor([0, 1, 1, 1])
    macro = multiclass_accuracy(logits, targets, 3, average="macro")
    assert macro.item() == pytest.approx((1 + 2 / 3 + 0) / 3)
    found = task.validation_metrics(logits, targets)
    assert found["balanced_accuracy"].item() == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize("targets", [[0, 0], [1, 1]])
def test_one_class_has_no_auroc(targets):
    task = ClassifierTask(nn.Identity(), settings=SETTINGS)
    logits, codes = torch.eye(2), torch.tensor(targets)
    with pytest.warns(UserWarning, match="meaningless"):
        assert binary_auroc(logits.softmax(1)[:, 1], codes).item() == 0  # undefined, not 0
    found = task.validation_metrics(logits, codes)
    assert set(found) == {"accuracy", "balanced_accuracy"}


def test_regression_loss_is_in_units_of_the_variance_and_its_error_in_those_of_the_target():
    task = RegressionTask(nn.Identity(), settings=SETTINGS, target_scale=10.0)
    outputs, targets = torch.tensor([[100.0], [120.0]]), torch.tensor([110.0, 140.0])
    assert task.loss(outputs, targets, training=True).item() == pytest.approx((1 + 4) / 2)
    found = task.validation_metrics(outputs, targets)
    assert found["root_mean_squared_error"].item() == pytest.approx(math.sqrt((100 + 400) / 2))


def test_the_root_of_an_error_is_made_of_operations_that_every_processor_rounds_alike():
    task = RegressionTask(nn.Identity(), settings=SETTINGS, target_scale=1.0)
    one = np.float32(1)
    for value in np.random.default_rng(0).random(50, dtype=np.float32):
        outputs = torch.tensor([[value]])
        found = task.validation_metrics(outputs, torch.zeros(1))["root_mean_squared_error"]
        # IEEE 754 rounds roots and quotients correctly; torch.sqrt need not.
        assert found.numpy() == one / (one / np.sqrt(value * value))


def test_a_supervised_task_without_a_loss_is_no_task():
    with pytest.raises(TypeError, match=r"abstract methods loss, validation_metrics$"):
        SupervisedTask(nn.Identity(), settings=SETTINGS)


def weighted_rows(outputs):
    """Outputs and targets of rows that stand for 1, 2 and 3 rows, and those rows written out."""
    torch.manual_seed(0)
    values, counts = torch.randn(30, outputs), torch.arange(30) % 3 + 1
    targets = torch.randn(30) * 10 if outputs == 1 else torch.arange(30) % 7 % outputs
    weights = counts / counts.float().mean()
    rows = torch.repeat_interleave(torch.arange(30), counts)
    return (values, targets, weights), (values[rows], targets[rows])


@pytest.mark.parametrize("outputs", [2, 3])
def test_a_row_of_weight_3_counts_as_three_rows_of_a_classifier(outputs):
    task = ClassifierTask(nn.Identity(), settings=SETTINGS)
    weighted, written_out = weighted_rows(outputs)
    for training in (True, False):
        loss = task.loss(*weighted, training=training)
        assert loss.item() == pytest.approx(task.loss(*written_out, training=training).item())
    found, wanted = (task.validation_metrics(*rows) for rows in (weighted, written_out))
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        assert found[name].item() == pytest.approx(value.item(), abs=1e-6), name


def test_a_row_of_weight_3_counts_as_three_rows_of_a_regressor():
    task = RegressionTask(nn.Identity(), settings=SETTINGS, target_scale=10.0)
    weighted, written_out = weighted_rows(1)
    loss = task.loss(*weighted, training=True)
    assert loss.item() == pytest.approx(task.loss(*written_out, training=True).item())
    found, wanted = (task.validation_metrics(*rows) for rows in (weighted, written_out))
    assert found["root_mean_squared_error"].item() == pytest.approx(
        wanted["root_mean_squared_error"].item(), rel=1e-5
    )


def test_a_batch_is_divided_by_its_rows_not_by_its_weights():
    task = RegressionTask(nn.Identity(), settings=SETTINGS, target_scale=1.0)
    outputs, targets = torch.tensor([[1.0], [1.0]]), torch.zeros(2)
    # A batch of light rows pulls less than one of heavy rows: (0.5 + 0.5) / 2 and (2 + 2) / 2.
    assert task.loss(outputs, targets, torch.tensor([0.5, 0.5]), training=True).item() == 0.5
    assert task.loss(outputs, targets, torch.tensor([2.0, 2.0]), training=True).item() == 2.0


def test_the_weight_of_a_class_multiplies_the_smoothed_loss_and_the_weight_of_its_rows():
    by_class = torch.tensor([0.5, 3.0])
    plain = ClassifierTask(nn.Identity(), settings=SETTINGS)
    task = ClassifierTask(nn.Identity(), settings=SETTINGS, class_weights=by_class)
    torch.manual_seed(0)
    logits, targets, rows = torch.randn(20, 2), torch.arange(20) % 2, torch.rand(20) + 0.5
    for training in (True, False):  # smoothing is 0.3 in training
        single = torch.stack(
            [
                plain.loss(logits[i : i + 1], targets[i : i + 1], training=training)
                for i in range(20)
            ]
        )
        own = by_class[targets]
        found = task.loss(logits, targets, training=training)
        assert found.item() == pytest.approx((single * own).mean().item(), rel=1e-6)
        found = task.loss(logits, targets, rows, training=training)
        assert found.item() == pytest.approx((single * own * rows).mean().item(), rel=1e-6)


def test_equal_class_weights_are_no_weights_and_metrics_do_not_know_them():
    plain = ClassifierTask(nn.Identity(), settings=SETTINGS)
    task = ClassifierTask(nn.Identity(), settings=SETTINGS, class_weights=torch.ones(3))
    torch.manual_seed(0)
    logits, targets = torch.randn(30, 3), torch.arange(30) % 3
    losses = (each.loss(logits, targets, training=True).item() for each in (plain, task))
    assert next(losses) == pytest.approx(next(losses))
    heavy = ClassifierTask(
        nn.Identity(), settings=SETTINGS, class_weights=torch.tensor([9.0, 1.0, 1.0])
    )
    found, wanted = (each.validation_metrics(logits, targets) for each in (heavy, plain))
    assert {k: v.item() for k, v in found.items()} == {k: v.item() for k, v in wanted.items()}


def test_class_weights_are_no_part_of_the_state_of_a_task():
    task = ClassifierTask(nn.Linear(2, 2), settings=SETTINGS, class_weights=torch.ones(2))
    assert set(task.state_dict()) == {"network.weight", "network.bias"}


def mixed_loss(task, share, targets, outputs):
    task.network = nn.Identity()
    shares = torch.cat([2 * share, 2 * (1 - share)])
    return task.training_step((outputs, torch.cat(targets), shares), 0)


def test_the_loss_of_mixed_rows_is_cross_entropy_with_the_mixed_smoothed_targets():
    settings = SimpleNamespace(**{**vars(SETTINGS), "label_smoothing": 0.1})
    share, outputs = torch.tensor([0.8, 0.3]), torch.randn(2, 3)
    targets = torch.tensor([0, 1]), torch.tensor([2, 1])
    found = mixed_loss(ClassifierTask(nn.Identity(), settings=settings), share, targets, outputs)
    own, other = (nn.functional.one_hot(codes, 3).float() for codes in targets)
    mixed = share[:, None] * own + (1 - share[:, None]) * other
    expected = nn.functional.cross_entropy(outputs, mixed, label_smoothing=0.1)
    torch.testing.assert_close(found, expected)


def test_the_gradient_of_mixed_values_is_that_of_the_mixed_target():
    share, values = torch.tensor([0.8, 0.3]), torch.tensor([[1.0], [5.0]], requires_grad=True)
    targets = torch.tensor([2.0, 4.0]), torch.tensor([7.0, -1.0])
    task = RegressionTask(nn.Identity(), settings=SETTINGS, target_scale=2.0)
    (found,) = torch.autograd.grad(mixed_loss(task, share, targets, values), values)
    mixed = share * targets[0] + (1 - share) * targets[1]
    (expected,) = torch.autograd.grad(((values[:, 0] - mixed) / 2).square().mean(), values)
    torch.testing.assert_close(found, expected)
