"""Readouts and fits: equal to closed forms, and what is frozen stays as it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid

from plumbline.studies.transfer import features, tuning


def _rows(count, width, classes, seed=0):
    rng = np.random.default_rng(seed)
    targets = np.arange(count) % classes
    centres = rng.normal(size=(classes, width))
    rows = centres[targets] + rng.normal(size=(count, width)) + 3
    return torch.tensor(rows, dtype=torch.float32), torch.tensor(targets)


@pytest.mark.parametrize("classes", [2, 5])
def test_a_probe_in_the_span_of_its_rows_is_the_same_probe(classes):
    rows, targets = _rows(40, 300, classes)
    others, _ = _rows(200, 300, classes, seed=1)
    fast, slow = (
        tuning.probe(rows, targets, strength=0.03, rotated=rotated) for rotated in (True, False)
    )
    assert torch.allclose(fast.weight, slow.weight, atol=2e-4)
    scores = [torch.nn.functional.linear(others, *each) for each in (fast, slow)]
    assert torch.equal(scores[0].argmax(1), scores[1].argmax(1))


def test_a_probe_is_scikit_learns_regression_of_scaled_features():
    rows, targets = _rows(60, 8, 3)
    centred = rows.double() - rows.double().mean(0)
    scaled = (centred / centred.square().mean().sqrt()).numpy()
    model = LogisticRegression(C=0.5, max_iter=300).fit(scaled, targets.numpy())
    found = tuning.probe(rows, targets, strength=0.5)
    scores = torch.nn.functional.linear(rows, *found).double().numpy()
    assert scores == pytest.approx(model.decision_function(scaled), abs=1e-4)


def test_the_nearest_mean_is_that_of_scikit_learn_on_the_sphere():
    rows, targets = _rows(50, 6, 4)
    turned = torch.nn.functional.normalize(rows - rows.mean(0)).numpy()
    centroid = NearestCentroid().fit(turned, targets.numpy())
    lengths = np.linalg.norm(centroid.centroids_, axis=1, keepdims=True)
    expected = (turned @ (centroid.centroids_ / lengths).T).argmax(1)
    found = torch.nn.functional.linear(rows, *tuning.nearest_mean(rows, targets, 4))
    assert found.argmax(1).tolist() == expected.tolist()


def test_accuracy_of_a_readout_by_hand():
    readout = tuning.Readout(torch.eye(2), torch.tensor([0.0, 0.5]))
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.3, 0.0]])
    assert readout.accuracy(rows, torch.tensor([0, 1, 0])) == pytest.approx(2 / 3)


@pytest.fixture(scope="module")
def few():
    rng = np.random.default_rng(0)
    images = torch.tensor(rng.integers(0, 256, (12, 1, 16, 16), dtype=np.uint8))
    return tuning.small_network(5, seed=1), images, torch.arange(12) % 3


@pytest.mark.parametrize("strategy", ["probe", "full", "partial", "lp_ft"])
def test_a_strategy_trains_what_it_says(few, strategy):
    network, images, targets = few
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = tuning.adapt(
        network, strategy, images, targets, classes=3, rate=0.01, updates=3, strength=0.1, seed=2
    )
    changed = {
        name
        for name, value in found.network.state_dict().items()
        if not name.startswith("head.") and not torch.equal(value, before[name])
    }
    assert all(torch.equal(value, before[n]) for n, value in network.state_dict().items())
    assert any("running_mean" in name for name in changed) == (strategy == "full")
    assert any(name.startswith("blocks.0.") for name in changed) == (strategy in ("full", "lp_ft"))
    assert ("feature_layer.weight" in changed) == (strategy != "probe")
    head = 3 * 128 + 3
    body = sum(value.numel() for value in network.parameters()) - (5 * 128 + 5)
    first = sum(network.get_parameter(f"blocks.{n}.weight").numel() for n in (0, 1, 4, 5)) + 48
    sizes = {"probe": head, "full": body + head, "lp_ft": body + head}
    assert found.trainable == sizes.get(strategy, body + head - first)


def test_operations_of_a_probe_are_those_of_its_features(few):
    network, images, targets = few
    found = tuning.adapt(
        network, "probe", images, targets, classes=3, rate=1, updates=1, strength=1, seed=0
    )
    # Positions times input channels times nine times output channels, and the feature layer.
    image = 256 * 9 * 16 + 64 * 16 * 9 * 32 + 16 * 32 * 9 * 64 + 256 * 128
    assert found.operations == 12 * image


def test_small_layers_are_those_of_the_network(few):
    network, images, _ = few
    found = tuning.read_small(network, images)
    with torch.no_grad():
        assert torch.allclose(found["pooled"], network.features(images), atol=1e-5)
    assert found["middle map"].shape == (12, 32 * 4 * 4)


def test_all_rows_come_before_one_comes_again():
    batches = list(tuning._batches(10, updates=4, size=5, seed=0))
    assert [len(each) for each in batches] == [5] * 4
    for pair in (batches[:2], batches[2:]):
        assert sorted(torch.cat(pair).tolist()) == list(range(10))
    assert len(next(tuning._batches(3, updates=1, size=5, seed=0))) == 3


def test_training_learns_its_rows_and_is_the_same_again(few):
    network, images, targets = few
    fits = [tuning.fit(network, images, targets, updates=30, rate=0.003, seed=1) for _ in range(2)]
    assert tuning.accuracy(fits[0].network, images, targets) == 1
    states = [fitted.network.state_dict() for fitted in fits]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_the_statistics_of_imagenets_network_stay_as_they_are():
    """With those of batches, eight updates left the accuracy of chance: .11 instead of .7."""
    rng = np.random.default_rng(0)
    images = torch.tensor(rng.integers(0, 256, (4, 3, 32, 32), dtype=np.uint8)).float()
    network = features.imagenet()
    found = tuning.adapt(
        network, "full", images, torch.arange(4) % 2, classes=2, rate=0.001, updates=2, seed=0,
        strength=1.0,
    )  # fmt: skip
    before, after = network.state_dict(), found.network.state_dict()
    statistics = [name for name in before if "running" in name]
    assert statistics
    assert all(torch.equal(before[name], after[name]) for name in statistics)
    assert not torch.equal(before["network.conv_stem.weight"], after["network.conv_stem.weight"])
    assert after["network.classifier.weight"].shape == (2, 1280)
