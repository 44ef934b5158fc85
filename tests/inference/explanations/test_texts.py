"""Attributions of the next character to the characters before it."""

import numpy as np
import pytest
import torch

from plumbline import artifacts
from plumbline.inference.explanations.explain import explain
from plumbline.inference.explanations.texts import embedding_gradients
from plumbline.inference.language import document_nll, restore_language_model
from tests.serving import folders


def test_an_ngram_model_of_two_characters_of_context_sees_two_characters(tmp_path):
    model, data = folders.ngram(tmp_path)
    found = explain(model, data, samples=(["prompt"], ["dea ab"]))
    (row,) = found.table.to_dict("records")
    values = np.array(row["attribution"])
    assert (row["explained"], row["text"]) == ("c", "dea ab")
    assert row["probability"] > 0.9
    assert not values[:4].any()
    assert (values[4:] > 0.5).all()


def test_occlusion_is_the_loss_of_log_probability(tmp_path):
    model, data = folders.rnn(tmp_path)
    (row,) = explain(model, data, samples=(["prompt"], ["abc"]), of="d").table.to_dict("records")
    network, _, vocabulary = restore_language_model(model, data)
    texts = [artifacts.encode_text(text, vocabulary) for text in ("abcd", "a\0cd")]
    before, after = (-each[-1] for each in document_nll(network, texts))
    assert row["attribution"][1] == pytest.approx(before - after, abs=1e-6)
    assert row["probability"] == pytest.approx(np.exp(before), abs=1e-6)


def test_gradients_of_the_embedding_add_up_to_the_change_from_mean_embeddings(tmp_path):
    model, data = folders.rnn(tmp_path)
    network, _, vocabulary = restore_language_model(model, data)
    codes = artifacts.encode_text("abc dea", vocabulary)
    values, gap = embedding_gradients(network, codes, 2, nodes=50)
    assert values.shape == (7,)
    assert abs(gap) < 1e-5
    with torch.no_grad():
        nll = document_nll(network, [np.append(codes, 2)])[0][-1]
        network.embedding.weight[1:-1] = network.embedding.weight[1:-1].mean(dim=0)
        baseline = document_nll(network, [np.append(codes, 2)])[0][-1]
    assert values.sum() == pytest.approx(baseline - nll, abs=1e-5)


def test_documents_are_cut_at_drawn_places(tmp_path):
    model, data = folders.rnn(tmp_path)
    found = explain(model, data, method="integrated_gradients", nodes=2)
    documents = artifacts.read_split_table(data, name="documents.parquet").set_index("sample_id")
    for row in found.table.to_dict("records"):
        name, end = row["sample_id"].rsplit("@", 1)
        assert documents.loc[name, "text"][: int(end)].endswith(row["text"])
        assert len(row["attribution"]) == len(row["text"])
    assert len(found.table) == (documents["split"] == "test").sum()
