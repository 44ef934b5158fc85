"""Runs of five words: sums by hand, and a computation with sets."""

import numpy as np
import pytest

from plumbline.data.text.word_runs import (
    MAX_LINKED,
    containment,
    linked_groups,
    most_common_runs,
    outside_containment,
    word_runs,
)


def sets(texts):
    found = []
    for text in texts:
        words = text.lower().replace(",", " ").replace(".", " ").split()
        found.append({tuple(words[i : i + 5]) for i in range(max(len(words) - 4, 1))} - {()})
    return found


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(0)
    sentences = [" ".join(rng.choice(list("abcdefghij"), 12)) for _ in range(12)]
    return [". ".join(rng.choice(sentences, rng.integers(1, 6))) for _ in range(40)]


def test_runs_are_those_of_sets(texts):
    runs, wanted = word_runs(texts), sets(texts)
    assert np.diff(runs.indptr).tolist() == [len(s) for s in wanted]
    common = (runs @ runs.T).toarray()
    assert common.tolist() == [[len(a & b) for b in wanted] for a in wanted]
    assert runs.shape[1] == len(set().union(*wanted))


def test_words_are_compared_in_lower_case_and_without_punctuation():
    runs = word_runs(["The mean, of all the samples.", "the MEAN of\nall (the) samples"])
    assert (runs.toarray()[0] == runs.toarray()[1]).all()


def test_a_short_text_is_one_run_and_an_empty_one_none():
    runs = word_runs(["two words", "--", "two words", "two words more", ""])
    assert np.diff(runs.indptr).tolist() == [1, 0, 1, 1, 0]
    within = np.array([True, True, False, False, True])
    assert containment(runs, within).tolist() == [0, 0, 1, 0, 0]
    assert word_runs(["", "?"]).shape == (2, 0)


def test_the_containment_is_that_of_sets(texts):
    wanted, within = sets(texts), np.arange(40) % 3 > 0
    found = containment(word_runs(texts), within)
    for i, own in enumerate(wanted):
        others = set().union(*(s for j, s in enumerate(wanted) if within[j] and j != i))
        assert found[i] == pytest.approx(len(own & others) / len(own))


def test_the_containment_outside_a_group_is_that_of_sets(texts):
    wanted, groups = sets(texts), np.arange(40) // 7
    found = outside_containment(word_runs(texts), groups)
    for i, own in enumerate(wanted):
        others = set().union(*(s for j, s in enumerate(wanted) if groups[j] != groups[i]))
        assert found[i] == pytest.approx(len(own & others) / len(own))


def chain(*pieces):
    """Each document is some of ten pieces of 24 words; two neighbours in one share no run."""
    return [" ".join(f"p{p}w{w}" for p in piece for w in range(24)) for piece in pieces]


def test_linked_documents_are_connected_through_others():
    # 0-1 and 1-2 have a piece of two in common, 0-2 nothing; 3 has a ninth of 4.
    texts = chain([0, 1], [1, 2], [2, 3], [4], [5, 6, 7, 8, 9])
    groups = linked_groups(word_runs(texts), share=0.4)
    assert groups[0] == groups[1] == groups[2]
    assert len({groups[0], groups[3], groups[4]}) == 3


def test_the_share_is_that_of_the_shorter_document():
    texts = chain([0], [0, 1, 2, 3])
    assert len(set(linked_groups(word_runs(texts), share=1.0))) == 1
    texts = chain([0, 5], [0, 1, 2, 3])  # 20 of 44 runs
    assert len(set(linked_groups(word_runs(texts), share=20 / 44))) == 1
    assert len(set(linked_groups(word_runs(texts), share=21 / 44))) == 2


def test_boilerplate_links_no_documents():
    # A licence of 30 words in every document, beside 4 runs of its own.
    licence = " ".join(f"licence{k}" for k in range(30))
    texts = [f"{licence} {' '.join(f'd{n}w{k}' for k in range(4))}" for n in range(MAX_LINKED + 1)]
    assert len(set(linked_groups(word_runs(texts), share=0.25))) == MAX_LINKED + 1
    assert len(set(linked_groups(word_runs(texts[1:]), share=0.25))) == 1


def test_the_nearest_document_has_most_runs_in_common():
    runs = word_runs(chain([0, 1, 2], [0], [1, 2], [4]))
    assert most_common_runs(runs[:1], runs[1:]).tolist() == [1]
