"""The n-gram model beside a computation with dictionaries, and known values of a known text."""

import os
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from plumbline.classical.ngram import FALLBACK, discounts, documents_nll, fit_ngram
from plumbline.errors import TrainingError

# Text without spaces between sentences would be easy to guess; this is English enough to have
# contexts that recur and others that do not.
BUILT_IN = " ".join(
    f"the {size} {animal} {verb} {where} the {thing} and so did {name}."
    for k in range(40)
    for size, animal, verb, where, thing, name in [
        (
            ["old", "small", "quick", "quiet", "brown"][k % 5],
            ["cat", "dog", "fox", "hen", "owl", "cow", "rat"][k % 7],
            ["sat", "ran", "slept", "sang"][k % 4],
            ["on", "under", "behind"][k % 3],
            ["mat", "house", "tree", "river", "barn", "cart", "wall", "hill", "gate"][k % 9],
            ["anna", "ben", "carl", "dora", "emil", "fritz", "greta", "hans"][k % 8],
        )
    ]
)


def coded(text):
    characters = sorted(set(text))
    points = np.array([ord(c) for c in characters])
    codes = np.searchsorted(points, np.frombuffer(text.encode("utf-32-le"), dtype="<u4"))
    return codes.astype(np.int64), len(characters)


def nll(weights, size, codes):
    return documents_nll(weights, {"vocabulary_size": size}, [np.asarray(codes)])[0]


def fit(train, *, order, size, held_out=None):
    weights, _ = fit_ngram(train, held_out or train, orders=[order], vocabulary_size=size)
    return weights


class KneserNey:
    """Chen and Goodman's equations 16 to 18 for one context and character at a time."""

    def __init__(self, documents, order, size):
        self.size, occurrences = size, [Counter() for _ in range(order + 2)]
        for document in documents:
            begun = (size, *map(int, document))
            for end in range(1, len(begun)):
                for k in range(min(end, order + 1) + 1):
                    occurrences[k][begun[end - k : end + 1]] += 1
        self.counts = [
            {
                gram: sum(longer[1:] == gram for longer in occurrences[k + 1])
                if k < order and gram[0] != size
                else count
                for gram, count in occurrences[k].items()
            }
            for k in range(order + 1)
        ]
        self.following = [defaultdict(list) for _ in range(order + 1)]
        for k, counts in enumerate(self.counts):
            for gram, count in counts.items():
                self.following[k][gram[:-1]].append(count)

    def discount(self, k, count):
        n = Counter(self.counts[k].values())
        if not (n[1] and n[2] and n[3]):
            return [0, *FALLBACK][min(count, 3)]
        y = n[1] / (n[1] + 2 * n[2])
        found = [i - (i + 1) * y * n[i + 1] / n[i] for i in (1, 2, 3)]
        return [0, *(found if min(found) > 0 else FALLBACK)][min(count, 3)]

    def probability(self, context, character, k):
        if k < 0:
            return 1 / self.size
        lower = self.probability(context[1:], character, k - 1)
        counts = self.following[k].get(context[len(context) - k :], [])
        if k > len(context) or not counts:
            return lower
        count = self.counts[k].get((*context[len(context) - k :], character), 0)
        saved = sum(self.discount(k, c) for c in counts)
        return (count - self.discount(k, count) + saved * lower) / sum(counts)

    def nll(self, document, order):
        begun = (self.size, *map(int, document))
        found = []
        for end in range(1, len(begun)):
            k = min(order, end)
            found.append(-np.log(self.probability(begun[end - k : end], begun[end], k)))
        return np.array(found)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_it_equals_the_equations_one_character_at_a_time(order):
    codes, size = coded(BUILT_IN[:600])
    documents = [codes[:50], codes[50:51], codes[51:300], codes[300:440]]
    weights = fit(documents, order=order, size=size)
    slow = KneserNey(documents, order, size)
    for document in (codes[440:], codes[:30], codes[299:320]):
        np.testing.assert_allclose(nll(weights, size, document), slow.nll(document, order))


def test_order_1_on_a_hand_counted_text():
    # "aab" and "abb": grams of two are ^a twice (^ begins a document), aa, ab twice, bb. On the
    # left of "a" stand ^ and a, on that of "b" a and b. No count is 3 or 4: discounts .5, 1, 1.5.
    weights = fit([np.array([0, 0, 1]), np.array([0, 1, 1])], order=1, size=2)
    np.testing.assert_array_equal(weights["counts_0"], [2, 2, 0])
    np.testing.assert_array_equal(weights["added_1"], [0, 2, 0, 1])  # aa, ^a, ab, bb
    np.testing.assert_array_equal(weights["counts_1"], [1, 2, 2, 1])
    lower = 0.25 + 0.5 * 0.5  # each of two counts of 2 loses 1 of 4 in all; half of that comes back
    wanted = [
        (2 - 1 + 1 * lower) / 2,  # a at the beginning
        (2 - 1 + 1.5 * lower) / 3,  # b after a, with aa .5 and ab 1 saved
        (1 - 0.5 + 0.5 * lower) / 1,  # b after b
    ]
    np.testing.assert_allclose(np.exp(-nll(weights, 2, [0, 1, 1])), wanted)


@pytest.mark.parametrize("order", [1, 3, 12])
def test_probabilities_of_all_characters_sum_to_one(order):
    codes, size = coded(BUILT_IN)
    size += 1  # a code that the training text does not have, as rare characters may be
    cut = 9 * len(codes) // 10
    weights = fit([codes[:cut]], order=order, size=size)
    for context in ([], codes[:1], codes[100:110], codes[cut : cut + 12], np.full(9, size - 1)):
        last = [nll(weights, size, np.append(context, c).astype(int))[-1] for c in range(size)]
        assert np.isfinite(last).all()
        np.testing.assert_allclose(np.exp(-np.array(last)).sum(), 1)


def test_discounts_follow_from_the_counts_of_counts():
    # 6 grams of count 1, 3 of 2, 2 of 3, 1 of 4: Y = 6 / 12, so 1 - .5, 2 - 3/2 * 2/3, 3 - 4/2 / 2.
    counts = np.array([1] * 6 + [2] * 3 + [3] * 2 + [4] + [9])
    np.testing.assert_allclose(discounts(counts), [0.5, 1.0, 2.0])
    np.testing.assert_array_equal(discounts(np.array([1, 1, 3, 4])), FALLBACK)  # no count of 2
    # 1 - 2 Y n2 / n1 and the like are negative where counts rise too fast.
    np.testing.assert_array_equal(discounts(np.array([1, 2, 3] + [4] * 9)), FALLBACK)


def test_the_order_of_fewest_held_out_bits_is_kept():
    codes, size = coded(BUILT_IN)
    cut = 8 * len(codes) // 10
    orders = [1, 2, 4, 7]
    weights, bits = fit_ngram([codes[:cut]], [codes[cut:]], orders=orders, vocabulary_size=size)
    for order in orders:
        alone = fit([codes[:cut]], order=order, size=size, held_out=[codes[cut:]])
        assert bits[order] == pytest.approx(nll(alone, size, codes[cut:]).mean() / np.log(2))
    best = min(bits, key=bits.get)
    assert list(bits) == orders
    assert len(weights["discounts"]) == best + 1
    np.testing.assert_array_equal(
        nll(weights, size, codes), nll(fit([codes[:cut]], order=best, size=size), size, codes)
    )


def test_documents_are_read_apart_and_in_order():
    codes, size = coded(BUILT_IN)
    weights = fit([codes[:900]], order=3, size=size)
    parts = [codes[5:9], codes[:0], codes[20:50]]
    found = documents_nll(weights, {"vocabulary_size": size}, parts)
    for values, part in zip(found, parts, strict=True):
        np.testing.assert_array_equal(values, nll(weights, size, part))
        assert values.shape == part.shape


def test_a_context_longer_than_any_document_is_no_fault():
    weights = fit([np.array([0, 1]), np.array([1])], order=9, size=2)
    assert len(weights["added_9"]) == 0
    assert np.isfinite(nll(weights, 2, [0, 1, 1, 0, 0, 1] * 3)).all()


def test_a_large_vocabulary_fits_at_a_high_order():
    """20,000 characters of context 16: as numbers to base 20,001, grams would need 243 bits."""
    codes = np.arange(20_000).repeat(2)
    weights = fit([codes], order=16, size=20_000)
    assert nll(weights, 20_000, codes[100:160])[16:].max() < 1e-3


@pytest.mark.parametrize(
    ("train", "held_out", "name"), [([], [[0]], "training"), ([[0]], [[]], "held-out")]
)
def test_a_part_without_characters_is_refused(train, held_out, name):
    with pytest.raises(TrainingError) as error:
        fit_ngram(
            [np.array(d, dtype=np.int64) for d in train],
            [np.array(d, dtype=np.int64) for d in held_out],
            orders=[1],
            vocabulary_size=2,
        )
    assert str(error.value) == f"ngram: {name} documents must hold characters, got none"


@pytest.mark.slow
def test_it_has_the_known_values_of_tiny_shakespeare():
    # PLUMBLINE_TEST_DATA may name a folder with tinyshakespeare/input.txt: nats on its last tenth,
    # from an independent implementation. Without it, the dictionaries above take their place.
    file = Path(os.environ.get("PLUMBLINE_TEST_DATA", "")) / "tinyshakespeare/input.txt"
    known = file.is_file()
    codes, size = coded(file.read_text(encoding="utf-8") if known else BUILT_IN)
    cut = 9 * len(codes) // 10
    orders = range(2, 9)
    _, bits = fit_ngram([codes[:cut]], [codes[cut:]], orders=orders, vocabulary_size=size)
    reference = [2.038, 1.719, 1.561, 1.523, 1.5165, 1.519, 1.522]
    if not known:
        reference = [KneserNey([codes[:cut]], k, size).nll(codes[cut:], k).mean() for k in orders]
    np.testing.assert_allclose(np.array(list(bits.values())) * np.log(2), reference, atol=6e-4)
