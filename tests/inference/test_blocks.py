import numpy as np
import pandas as pd
import pytest

from plumbline.artifacts import DatasetSchema
from plumbline.errors import ArtifactError
from plumbline.inference.blocks import language_predictions

SCHEMA = DatasetSchema("text", "toy", "language", attributes=("part",))
DOCUMENTS = pd.DataFrame(
    {
        "sample_id": ["d1", "d2", "d3"],
        "split": ["test", "test", "val"],
        "text": ["abcdefg", "", "xyz"],
        "part": ["a", "a", "b"],
    }
)
NATS = [np.arange(7.0), np.zeros(0), np.array([0.5, 0.25, 2.0])]


def test_blocks_sum_their_characters_and_keep_the_rest_of_a_document():
    predictions = language_predictions("rnn", DOCUMENTS, NATS, block_characters=3, schema=SCHEMA)
    predictions.check("rnn")
    rows = predictions.table[predictions.columns()].to_numpy().tolist()
    assert rows == [
        ["d1#0000", "test", "d1", 3.0, 3, "a"],
        ["d1#0001", "test", "d1", 12.0, 3, "a"],
        ["d1#0002", "test", "d1", 6.0, 1, "a"],
        ["d3#0000", "val", "d3", 2.75, 3, "b"],
    ]
    assert (predictions.model, predictions.kind, predictions.source) == ("rnn", "language", "toy")


@pytest.mark.parametrize("block_characters", [1, 4, 1000])
def test_every_character_counts_once_whatever_the_length_of_a_block(block_characters):
    table = language_predictions(
        "rnn", DOCUMENTS, NATS, block_characters=block_characters, schema=SCHEMA
    ).table
    assert table["characters"].sum() == 10
    assert table["nll"].sum() == 21 + 2.75


@pytest.mark.parametrize(
    ("nll", "got"),
    [
        (np.zeros(2), "shape (2,) with 0 not finite"),
        (np.array([1.0, np.inf, np.nan]), "shape (3,) with 2 not finite"),
    ],
)
def test_likelihoods_of_another_length_or_not_finite_are_refused(nll, got):
    with pytest.raises(ArtifactError) as error:
        language_predictions("rnn", DOCUMENTS, [*NATS[:2], nll], block_characters=3, schema=SCHEMA)
    assert str(error.value) == (
        f"rnn: likelihoods of document 'd3' must be 3 finite numbers, got {got}"
    )
