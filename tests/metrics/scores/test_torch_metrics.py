"""The report's values against torchmetrics', on every kind of model, and where ours stay."""

import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.compat import torchvision
from plumbline.metrics.estimates import MetricOptions
from plumbline.metrics.scores import classification, language
from plumbline.metrics.scores.torch_metrics import point_values, with_point_values
from plumbline.metrics.summary import predictions_to_metrics

OPTIONS = MetricOptions(confidence=0.95, replicates=50, neighbours=3, splits=3, seed=0)
IN_DOUBLE = {names.F1_MACRO, names.AUROC, names.BRIER}
IN_SINGLE = {names.ACCURACY, names.BALANCED_ACCURACY, names.ECE}


def classified(classes, n=333, seed=0, digits=3):
    rng = np.random.default_rng(seed)
    y = rng.integers(len(classes), size=n)
    raw = np.exp(rng.normal(size=(n, len(classes))) + (np.arange(len(classes)) == y[:, None]))
    scores = (raw / raw.sum(axis=1, keepdims=True)).round(digits)  # 3: with ties
    scores /= scores.sum(axis=1, keepdims=True)
    columns = {f"score_{name}": scores[:, k] for k, name in enumerate(classes)}
    return table(y, scores.argmax(axis=1), names.CLASSIFICATION, columns, classes)


def table(y, decided, kind, columns, classes=()):
    frame = pd.DataFrame(
        {"sample_id": [f"s{i}" for i in range(len(y))], "split": names.TEST, "y_true": y,
         "y_pred": decided, **columns}
    )  # fmt: skip
    return Predictions(frame, "fnn", kind, "tabular", "made", classes, None, ())


def numbers(n=200):
    rng = np.random.default_rng(1)
    y = rng.normal(1e3, 50, size=n)
    return table(y, y + rng.normal(0, 10, size=n), names.REGRESSION, {})


@pytest.mark.parametrize("digits", [3, 15])
@pytest.mark.parametrize("classes", [("no", "yes"), ("a", "b", "c"), tuple("abcdefghij")])
def test_every_value_of_a_classification_is_torchmetrics(classes, digits):
    torchvision.install()
    import torch
    from torchmetrics.functional import classification as peer

    made = classified(classes, digits=digits)
    report = predictions_to_metrics(made, OPTIONS)["metrics"]
    found = point_values(made)
    assert set(found) == IN_DOUBLE
    for name, value in found.items():
        assert report[name]["value"] == pytest.approx(value, rel=1e-13)
    true, decided = (torch.tensor(made.table[side].to_numpy()) for side in ("y_true", "y_pred"))
    scores, k = torch.tensor(made.scores()), len(classes)
    single = {
        names.ACCURACY: peer.multiclass_accuracy(decided, true, k, average="micro"),
        names.BALANCED_ACCURACY: peer.multiclass_accuracy(decided, true, k, average="macro"),
        names.ECE: peer.multiclass_calibration_error(scores, true, k, n_bins=15)
        if k > 2
        else peer.binary_calibration_error(scores[:, 1], true, n_bins=15),
    }
    # Its logarithms: their last bits are not the same on every processor.
    assert report[names.LOG_LOSS]["value"] == pytest.approx(
        float(-scores.log()[torch.arange(len(true)), true].mean()), rel=1e-13
    )
    assert set(report) == IN_DOUBLE | {names.LOG_LOSS} | set(single)
    for name, value in single.items():
        if name == names.ECE and digits == 3:
            continue  # confidences on the edges of bins
        assert report[name]["value"] == pytest.approx(float(value), abs=2e-7)


def test_every_value_of_a_regression_is_torchmetrics():
    made = numbers()
    report = predictions_to_metrics(made, OPTIONS)["metrics"]
    found = point_values(made)
    assert set(found) == set(report)
    for name, value in found.items():
        assert report[name]["value"] == pytest.approx(value, rel=1e-12)


def test_perplexity_is_torchmetrics_where_it_has_every_character():
    torchvision.install()
    import torch
    from torchmetrics.functional.text import perplexity

    rng = np.random.default_rng(2)
    logits, codes = (
        torch.tensor(rng.normal(size=(4, 50, 9))),
        torch.tensor(rng.integers(9, size=(4, 50))),
    )
    nll = torch.nn.functional.cross_entropy(logits.flatten(0, 1), codes.flatten(), reduction="none")
    ours = language.weighted_metrics(nll.reshape(4, 50).sum(dim=1).numpy(), np.full(4, 50))
    theirs = float(perplexity(logits, codes))
    assert ours[names.PERPLEXITY][0] == pytest.approx(theirs, rel=1e-12)
    assert ours[names.BITS_PER_CHARACTER][0] == pytest.approx(math.log2(theirs), rel=1e-12)


@pytest.mark.parametrize("name", sorted(IN_SINGLE - {names.ECE}))
def test_torchmetrics_accuracy_is_single_precision_whatever_its_input(name):
    """One of three right: 1/3 is no number of single precision. Ours is taken while this fails."""
    torchvision.install()
    import torch
    from torchmetrics.functional import classification as peer

    true, decided = torch.tensor([0, 0, 0]), torch.tensor([0, 1, 1])
    average = "micro" if name == names.ACCURACY else "macro"
    theirs = peer.multiclass_accuracy(decided, true, 2, average=average)
    scores = np.array([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9]])
    ours = classification.weighted_metrics(true.numpy(), decided.numpy(), scores)
    assert ours[names.ACCURACY][0] == 1 / 3
    assert theirs.dtype == torch.float32
    assert float(theirs) != 1 / 3


def test_a_class_without_rows_counts_as_zero_in_torchmetrics_and_is_left_out_in_ours():
    torchvision.install()
    import torch
    from torchmetrics.functional import classification as peer

    made = classified(("a", "b", "c"))
    made = table(
        made.table["y_true"] % 2, made.table["y_pred"], made.kind,
        {column: made.table[column] for column in made.table if column.startswith("score_")},
        made.classes,
    )  # fmt: skip
    assert names.AUROC not in point_values(made)
    report = predictions_to_metrics(made, OPTIONS)
    scores, true = torch.tensor(made.scores()), torch.tensor(made.table["y_true"].to_numpy())
    with pytest.warns(UserWarning, match="No positive samples"):
        each = peer.multiclass_auroc(scores, true, 3, average="none")
    ours = report["metrics"][names.AUROC]["value"]
    assert ours == pytest.approx(float(each[:2].mean()), rel=1e-6)
    assert with_point_values(report, made)["metrics"][names.AUROC]["value"] == ours


def test_values_are_taken_intervals_and_the_rest_stay():
    for made in (classified(("no", "yes")), numbers()):
        report = predictions_to_metrics(made, OPTIONS)
        found, theirs = with_point_values(report, made), point_values(made)
        assert {**found, "metrics": None} == {**report, "metrics": None}
        for name, estimate in found["metrics"].items():
            assert estimate["value"] == theirs.get(name, report["metrics"][name]["value"])
            assert all(estimate[end] == report["metrics"][name][end] for end in ("low", "high"))


def test_rows_with_weights_keep_our_values():
    made = classified(("no", "yes"))
    weighted = made.table.assign(**{names.WEIGHT: 2.0})
    report = {"metrics": {}}
    made = Predictions(weighted, "fnn", made.kind, "tabular", "made", made.classes, None, ())
    assert point_values(made) == {}
    assert with_point_values(report, made) == report


def test_a_constant_truth_has_no_r2():
    made = table(np.ones(5), np.arange(5.0), names.REGRESSION, {})
    report = predictions_to_metrics(made, OPTIONS)
    assert with_point_values(report, made)["metrics"][names.R2]["value"] is None


def test_torch_is_imported_only_when_values_are_asked_for():
    program = (
        "import sys; import plumbline.metrics.summary, plumbline.metrics.scores.torch_metrics; "
        "sys.exit(bool({'torch', 'torchmetrics'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
