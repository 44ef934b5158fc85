"""A generator's report under the rules of policy.yaml: good and bad generators of ten classes."""

import datetime

import numpy as np
import pandas as pd
import pytest

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.gate import Reports, check_rules, judgements
from plumbline.metrics import summary
from plumbline.metrics.estimates import MetricOptions
from plumbline.metrics.generative import distances
from plumbline.params.policy import load_policy

OPTIONS = MetricOptions(confidence=0.95, replicates=500, neighbours=3, splits=40, seed=0)
DAY = datetime.date(2026, 1, 1)
CLASSES, FEATURES, REAL, GENERATED = 10, 6, 300, 1200
CENTRES = np.random.default_rng(0).normal(size=(CLASSES, FEATURES)) * 6


def images(rng, classes):
    """Draw features of images of the classes, and what a classifier that is 97 % right reads."""
    features = CENTRES[classes] + rng.normal(size=(len(classes), FEATURES))
    wrong = rng.random(len(classes)) < 0.03
    return features, np.where(wrong, rng.integers(CLASSES, size=len(classes)), classes)


def report(generated, recognised, rng):
    real_classes = np.arange(REAL) % CLASSES
    real, read = images(rng, real_classes)
    n = len(generated)
    table = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(n + REAL)],
            "split": [names.TEST] * n + [names.REFERENCE] * REAL,
            "y_true": np.r_[np.arange(n) % CLASSES, real_classes],
            "y_pred": np.r_[recognised, read],
            "style": "one",
        }
    )
    codes = table["y_pred"].to_numpy()
    scores = np.where(codes[:, None] == np.arange(CLASSES), 0.91, 0.01)
    parts = [table, pd.DataFrame(scores, columns=[f"score_{k}" for k in range(CLASSES)])]
    features = np.vstack([generated, real])
    parts.append(pd.DataFrame(features, columns=[f"feature_{i}" for i in range(FEATURES)]))
    classes = tuple(str(k) for k in range(CLASSES))
    predictions = Predictions(
        pd.concat(parts, axis=1), "gan", names.GENERATOR, names.IMAGES, "digits", classes, None,
        ("style",),
    )  # fmt: skip
    return summary.predictions_to_metrics(predictions, OPTIONS)


def statuses(root, found):
    """Return what becomes of each rule on the GAN's distances, overlap and classes."""
    policy = load_policy(root / "policy.yaml")
    rules = [
        rule.model_dump(mode="json") for rule in policy.rules
        if rule.model == "gan" and rule.quantity != names.CLASS_AGREEMENT
    ]  # fmt: skip
    judged = judgements(check_rules(rules, Reports({"gan": found}, {})), DAY)
    return {one.outcome["quantity"]: one.status for one in judged}


def test_a_generator_with_the_distribution_of_the_real_images_passes(root):
    rng = np.random.default_rng(1)
    found = report(*images(rng, np.arange(GENERATED) % CLASSES), rng)
    by_rule = statuses(root, found)
    assert set(by_rule) == {"kid/cnn", "coverage/cnn", "classes_missing", "repetition/cnn"}
    assert "FAIL" not in by_rule.values()
    assert by_rule["coverage/cnn"] == by_rule["classes_missing"] == "PASS"
    assert found["metrics"]["kid/cnn"]["low"] < 0 < found["metrics"]["kid/cnn"]["high"]


def test_a_generator_that_never_draws_two_of_ten_classes_fails(root):
    """Its Fréchet distance was 3.55 times that of real images, and the limit 4."""
    rng = np.random.default_rng(2)
    found = report(*images(rng, 2 + np.arange(GENERATED) % 8), rng)
    by_rule = statuses(root, found)
    assert by_rule["classes_missing"] == "FAIL"
    assert found["metrics"]["coverage/cnn"]["high"] < found["reference"]["coverage/cnn"]["value"]
    missing = found["metrics"]["classes_missing"]
    assert missing == {"value": 2, "low": 2, "high": 2}
    assert [row["class"] for row in found["class_shares"] if row["high"] < 0.01] == ["0", "1"]
    assert found["metrics"]["kid/cnn"]["low"] > 0
    assert found["metrics"]["fid_infinity/cnn"]["low"] > 0


@pytest.mark.parametrize(("kept", "times"), [(60, 20), (400, 3)])
def test_a_generator_that_repeats_its_images_fails(root, kept, times):
    """60 images over and over were 2.79 times as far as real images, and the limit 4."""
    rng = np.random.default_rng(3)
    features, read = images(rng, np.arange(kept) % CLASSES)
    found = report(np.tile(features, (times, 1)), np.tile(read, times), rng)
    by_rule = statuses(root, found)
    assert by_rule["repetition/cnn"] == "FAIL"
    assert (by_rule["coverage/cnn"] == "FAIL") == (kept == 60)
    assert by_rule["classes_missing"] == "PASS"


def test_fewer_samples_make_no_generator_better():
    """The ratio to the distance of real images was .97 at 70 samples and 1.27 at 225."""
    rng = np.random.default_rng(4)

    def drawn(n, shift):
        return images(rng, rng.integers(CLASSES, size=n))[0] + shift

    found = {
        n: [distances.kernel_distance(drawn(n, 0.5), drawn(n, 0)) for _ in range(40)]
        for n in (70, 600)
    }
    few, many = (np.array(found[n]).T for n in (70, 600))
    assert few[0].mean() == pytest.approx(many[0].mean(), abs=3 * few[0].std() / np.sqrt(40))
    assert few[1].mean() > 2 * many[1].mean()
