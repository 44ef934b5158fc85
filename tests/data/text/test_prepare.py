from collections import Counter

import numpy as np
import pytest

from plumbline import artifacts
from plumbline.data.text.docstrings import Document
from plumbline.data.text.prepare import (
    build_vocabulary,
    choose_documents,
    pool_small_groups,
    prepare,
    text_from_documents,
)
from plumbline.errors import DataError
from plumbline.params.data import TextData

PARAMETERS = TextData(
    source="sklearn_docs",
    min_document_characters=200,
    max_characters=200_000,
    min_character_count=20,
    val_fraction=0.1,
    test_fraction=0.15,
    shared_runs=0.25,
    max_containment=0.5,
    file=None,
)


@pytest.fixture(scope="module")
def prepared():
    return prepare(PARAMETERS, seed=1)


def documents(sizes, subpackage="part"):
    return [Document(f"p.{subpackage}.d{k}", subpackage, "x" * n) for k, n in enumerate(sizes)]


def test_the_text_of_scikit_learn_passes_its_own_checks(prepared):
    prepared.check()
    lengths = prepared.table["text"].str.len()
    assert lengths.min() >= 200
    assert 180_000 < lengths.sum() <= 200_000
    assert prepared.schema.about["characters"] == lengths.sum()
    assert prepared.table["sample_id"].is_monotonic_increasing


def test_no_text_is_in_two_splits(prepared):
    assert prepared.table["text"].is_unique
    assert prepared.table["sample_id"].is_unique


def test_the_vocabulary_comes_from_the_training_split_alone(prepared):
    table = prepared.table
    counts = Counter("".join(table.loc[table["split"] == "train", "text"]))
    assert prepared.vocabulary[0] == "\ufffd"
    assert set(prepared.vocabulary[1:]) == {c for c, n in counts.items() if n >= 20}
    assert list(prepared.vocabulary[1:]) == sorted(prepared.vocabulary[1:])


def test_written_text_is_read_back_and_coded(prepared, tmp_path):
    prepared.write(tmp_path)
    vocabulary = artifacts.read_vocabulary(tmp_path)
    table = artifacts.read_split_table(tmp_path, name="documents.parquet")
    assert list(table.columns) == ["sample_id", "split", "text", "containment", "subpackage"]
    text = table["text"].iloc[0]
    codes = artifacts.encode_text(text, vocabulary)
    rare = {c for c in text if c not in vocabulary}
    back = "".join("\ufffd" if c in rare else c for c in text)
    assert artifacts.decode_text(codes, vocabulary) == back
    assert artifacts.DatasetSchema.read(tmp_path) == prepared.schema


def test_counts_name_documents_characters_and_groups(prepared):
    counts = prepared.counts()
    lengths = prepared.table.groupby("split")["text"].agg(lambda column: column.str.len().sum())
    assert counts["test/characters"] == lengths["test"]
    by_group = [v for k, v in counts.items() if k.startswith("val/rows/subpackage/")]
    assert sum(by_group) == counts["val/rows"] == (prepared.table["split"] == "val").sum()


def test_fewer_characters_keep_a_part_of_the_same_documents():
    every = documents(range(100, 160))
    few, more = (choose_documents(every, max_characters=n, salt="s") for n in (1000, 4000))
    assert sum(len(d.text) for d in few) <= 1000
    assert {d.name for d in few} < {d.name for d in more}
    assert few == sorted(few, key=lambda d: d.name)


def test_small_subpackages_are_pooled():
    every = [
        *documents([100] * 10, "large"),
        *documents([10] * 10, "short"),  # 100 of 2100 characters
        *documents([500, 500], "few"),  # two documents
    ]
    groups = pool_small_groups(every, min_share=0.06, min_documents=3)
    assert groups == ["large"] * 10 + ["other"] * 12


def test_rare_characters_are_left_out_of_the_vocabulary():
    assert build_vocabulary(["aab", "ba", "cé"], min_count=2) == ("\ufffd", "a", "b")
    # A text that holds the replacement character itself does not list it twice.
    assert build_vocabulary(["\ufffd\ufffdz"], min_count=1) == ("\ufffd", "z")


def test_a_text_with_too_few_characters_is_refused():
    with pytest.raises(DataError) as error:
        text_from_documents(documents([300, 400]), parameters=PARAMETERS)
    assert str(error.value) == (
        "sklearn_docs: text must have at least 10000 characters, got 700 in 2 documents; "
        "raise data_text.max_characters or lower data_text.min_document_characters"
    )


def test_every_group_is_in_every_split_of_the_reduced_text(sklearn_documents):
    parameters = PARAMETERS.model_copy(update={"max_characters": 120_000})
    prepared = text_from_documents(sklearn_documents[0], parameters=parameters)
    assert prepared.absent_groups() == {}
    assert np.unique(prepared.table["subpackage"]).size > 1
