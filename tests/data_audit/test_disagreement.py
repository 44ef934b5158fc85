import numpy as np

from plumbline.data_audit.disagreement import disputed_labels


def test_a_label_that_its_neighbours_contradict_is_disputed():
    points = np.concatenate([np.linspace(0, 1, 10), np.linspace(10, 11, 10)])[:, None]
    labels = np.repeat([0, 1], 10)
    labels[4] = 1
    doubted, said = disputed_labels(points, labels, neighbours=5)
    assert np.flatnonzero(doubted).tolist() == [4]
    assert said[4] == 0


def test_a_bare_majority_of_different_labels_disputes_nothing():
    points = np.arange(5, dtype=float)[:, None]
    doubted, _ = disputed_labels(points, np.array([0, 1, 2, 3, 4]), neighbours=4)
    assert not doubted.any()


def test_samples_of_the_same_entity_do_not_vote():
    points = np.array([[0.0], [0.01], [0.02], [5.0], [5.1], [5.2]])
    labels = np.array([1, 1, 1, 0, 0, 0])
    alone, _ = disputed_labels(points, labels, neighbours=2)
    assert not alone.any()
    entities = ["a", "a", "a", "b", "b", "b"]
    doubted, said = disputed_labels(points, labels, neighbours=2, entities=entities)
    assert doubted.all()
    assert said.tolist() == [0, 0, 0, 1, 1, 1]


def test_it_does_not_depend_on_the_chunks(monkeypatch):
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(50, 3)), rng.integers(0, 3, size=50)
    whole = disputed_labels(points, labels, neighbours=5)[0]
    monkeypatch.setattr("plumbline.data_audit.disagreement.CHUNK", 70)
    np.testing.assert_array_equal(disputed_labels(points, labels, neighbours=5)[0], whole)
