"""The character network restored from its folder: likelihoods and texts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from plumbline import artifacts, models, names
from plumbline.artifacts import ModelConfig, Predictions
from plumbline.classical.folders import fit_ngram_model
from plumbline.errors import ArtifactError
from plumbline.inference.classical import ngram_likelihoods
from plumbline.inference.language import (
    document_nll,
    generate_texts,
    network_likelihoods,
    predict_language,
    predict_language_model,
    write_texts,
)
from plumbline.models.rnn import CharRNN
from plumbline.params.models import BaselineParams
from plumbline.params.reports import TextSample
from tests.prepared_folders import BASELINE, write_text_folder

ARGUMENTS = {
    "vocabulary_size": 7,
    "embedding_dim": 4,
    "hidden_dim": 6,
    "layers": 2,
    "cell": "lstm",
    "dropout": 0.4,
    "tied": False,
}


def network() -> CharRNN:
    torch.manual_seed(0)
    found = models.build("rnn", **ARGUMENTS)
    assert isinstance(found, CharRNN)
    return found


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    config = ModelConfig(
        model="rnn",
        architecture="rnn",
        arguments=ARGUMENTS,
        kind=names.LANGUAGE,
        dataset="text",
        source="made_up",
    )
    artifacts.save_model(tmp_path / "rnn", network().state_dict(), config)
    return tmp_path / "rnn", write_text_folder(tmp_path / "text")


def one_by_one(document: np.ndarray) -> np.ndarray:
    """Chain rule, one character at a time."""
    model, state, found = network().eval(), None, []
    before = model.begin
    for code in document:
        with torch.no_grad():
            logits, state = model(torch.tensor([[before]]), state)
        found.append(-float(logits[0, 0].log_softmax(0)[int(code)]))
        before = int(code)
    return np.array(found)


@pytest.mark.parametrize(("streams", "length"), [(1, 4), (2, 7), (32, 64)])
def test_every_character_costs_what_the_chain_rule_says(streams: int, length: int) -> None:
    rng = np.random.default_rng(0)
    documents = [rng.integers(0, 7, size=size) for size in (5, 30, 12)]
    found = document_nll(network(), documents, streams=streams, length=length)
    for nll, document in zip(found, documents, strict=True):
        np.testing.assert_allclose(nll, one_by_one(document), atol=2e-6)


def test_predictions_are_the_test_documents_in_blocks(folders: tuple[Path, Path]) -> None:
    predictions = predict_language(*folders, block_characters=50)
    predictions.check("rnn")
    table, _ = artifacts.read_table(folders[1] / "documents.parquet")
    test = table[table["split"] == "test"].set_index("sample_id")
    found = predictions.table.groupby("document_id")[["nll", "characters"]].sum()
    assert found["characters"].to_dict() == test["text"].str.len().to_dict()
    assert predictions.table["characters"].max() == 50
    vocabulary = artifacts.read_vocabulary(folders[1])
    for document, text in test["text"].items():
        expected = one_by_one(artifacts.encode_text(text, vocabulary)).sum()
        assert found.loc[document, "nll"] == pytest.approx(expected, rel=1e-5)
    assert predictions.attributes == ("shelf",)


def test_texts_of_several_temperatures_begin_with_the_prompt(folders: tuple[Path, Path]) -> None:
    texts = generate_texts(
        *folders, prompt="ab", characters=9, temperatures=[0.5, 1.0], top_k=3, seed=4
    )
    assert [(t["temperature"], t["top_k"], t["prompt"]) for t in texts] == [
        (0.5, 3, "ab"),
        (1.0, 3, "ab"),
    ]
    assert all(t["text"].startswith("ab") and len(t["text"]) == 11 for t in texts)


def test_references_are_the_models_that_it_needs_on_the_same_blocks(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    model, data = folders
    baseline = BaselineParams(
        tabular=("svm",),
        **BASELINE,
        ngram_orders=(2,),
    )
    ngram = tmp_path / "counts"
    fit_ngram_model(baseline, data=data, context=SimpleNamespace(seed=0)).save(ngram)
    options = SimpleNamespace(block_characters=50)
    folders_by_name = {"writer": model, "counts": ngram, "second": model}
    found = predict_language_model(folders_by_name, data, options=options, seed=0)
    assert found.predictions.model == "writer"
    assert list(found.references) == ["counts", "second", "writer_mixture"]
    table, counts = found.predictions.table, found.references["counts"].table
    assert table["sample_id"].tolist() == counts["sample_id"].tolist()
    assert not np.allclose(table["nll"], counts["nll"])
    own = table.drop(columns="nll_mixture")
    pd.testing.assert_frame_equal(own, found.references["second"].table)


def test_the_mixture_has_the_weight_of_the_validation_split(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    model, data = folders
    baseline = BaselineParams(
        tabular=("svm",),
        **BASELINE,
        ngram_orders=(1, 2),
    )
    ngram = tmp_path / "counts"
    fit_ngram_model(baseline, data=data, context=SimpleNamespace(seed=0)).save(ngram)
    options = SimpleNamespace(block_characters=50)
    found = predict_language_model({"a": model, "counts": ngram}, data, options=options, seed=0)

    def nats(split: str) -> list[np.ndarray]:
        parts = (
            network_likelihoods(model, data, split=split),
            ngram_likelihoods(ngram, data, split=split),
        )
        return [np.concatenate(nll) for _, nll in parts]

    facts = found.facts["mixture"]
    assert {**facts, "weight": None} == {"with": "counts", "weight": None, "fitted_on": "val"}
    first, second = map(np.exp, np.negative(nats("val")))
    grid = np.linspace(0, 1, 1001)
    best = grid[np.argmax([np.log(w * first + (1 - w) * second).sum() for w in grid])]
    assert facts["weight"] == pytest.approx(best, abs=1e-3)
    first, second = map(np.exp, np.negative(nats("test")))
    wanted = -np.log(facts["weight"] * first + (1 - facts["weight"]) * second).sum()
    mixed = found.references["a_mixture"]
    assert mixed.table["nll"].sum() == pytest.approx(wanted)
    assert found.predictions.table["nll_mixture"].sum() == pytest.approx(wanted)
    # A file of the table gives both, and the length of a block does not matter.
    found.predictions.write(tmp_path / "a.parquet")
    read = Predictions.read(tmp_path / "a.parquet").variants()
    assert [p.model for p in read] == ["a", "a_mixture"]
    assert read[1].table["nll"].sum() == pytest.approx(wanted)
    longer = predict_language_model(
        {"a": model, "counts": ngram}, data, options=SimpleNamespace(block_characters=1000), seed=0
    )
    assert longer.facts == found.facts
    assert longer.predictions.table["nll_mixture"].sum() == pytest.approx(wanted)


def test_texts_are_written_as_they_are_sampled(folders: tuple[Path, Path], tmp_path: Path) -> None:
    sample = TextSample(characters=9, temperatures=(0.5, 1.0), top_k=3, prompt="ab")
    write_texts(
        {"writer": folders[0]}, folders[1], options=SimpleNamespace(text_sample=sample),
        seed=4, folder=tmp_path / "samples",
    )  # fmt: skip
    found = artifacts.read_json(tmp_path / "samples" / names.TEXT_SAMPLES)
    assert found == generate_texts(*folders, seed=4, **sample.model_dump())


def test_a_text_of_another_vocabulary_is_refused(folders: tuple[Path, Path]) -> None:
    model, data = folders
    artifacts.write_json(data / "vocabulary.json", [artifacts.RARE, "a"])
    with pytest.raises(ArtifactError) as caught:
        predict_language(model, data, block_characters=50)
    assert str(caught.value) == (
        "rnn: vocabulary must have the 2 characters of text/vocabulary.json, got 7; "
        "train the model on this text"
    )


def test_another_kind_of_model_is_refused(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    arguments = {
        "image_size": 8, "channels": 1, "classes": 2, "latent_dim": 2, "base_channels": 2,
    }  # fmt: skip
    config = ModelConfig(
        model="gan", architecture="generator", arguments=arguments, kind=names.GENERATOR,
        dataset="images", source="made_up",
    )  # fmt: skip
    generator = models.build("generator", **arguments)
    artifacts.save_model(tmp_path / "gan", generator.state_dict(), config)
    with pytest.raises(ArtifactError) as caught:
        predict_language(tmp_path / "gan", folders[1], block_characters=50)
    assert str(caught.value) == "gan: architecture must be one of a language model, got 'generator'"


def test_weights_of_another_shape_are_refused(folders: tuple[Path, Path]) -> None:
    model, data = folders
    config = ModelConfig.read(model)
    wrong = ModelConfig(**{**config.__dict__, "arguments": {**ARGUMENTS, "hidden_dim": 5}})
    artifacts.write_json(model / "config.json", wrong)
    with pytest.raises(ArtifactError) as caught:
        predict_language(model, data, block_characters=50)
    assert str(caught.value).startswith("rnn: weights and config must belong together, got: ")
