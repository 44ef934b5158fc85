"""The code that each card shows to get started is run as it stands."""

import shutil
from types import SimpleNamespace

import pytest
import torch
import yaml

from plumbline import artifacts, catalog, models, names, params
from plumbline.artifacts import ModelConfig
from plumbline.data.images.prepare import prepare as prepare_images
from plumbline.data.tables.prepare import prepare as prepare_tabular
from plumbline.reporting.cards import facts
from plumbline.reporting.cards.facts import card_words
from plumbline.training.recipes.fitted import portable_weights

HIDDEN = {"hidden": [8], "activation": "relu", "dropout": 0.0, "norm": "none", "init": "default"}
CLASSES = tuple(str(digit) for digit in range(10))


@pytest.fixture(scope="module")
def parameters(root):
    return params.check(yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8")))


def save(folder, model, architecture, arguments, *, size=None):
    torch.manual_seed(0)
    config = ModelConfig(
        model=model,
        architecture=architecture,
        arguments=arguments,
        kind=names.CLASSIFICATION,
        dataset=catalog.model(model).dataset,
        source="digits",
        classes=CLASSES,
        inputs=({"name": "x", "dtype": "uint8", "shape": [-1, 1, size, size]},) if size else (),
    )
    network = models.build(architecture, **arguments)
    artifacts.save_model(folder / names.MODEL_DIR / model, portable_weights(network), config)


@pytest.fixture(scope="module")
def repository(parameters, tmp_path_factory):
    folder = tmp_path_factory.mktemp("start")
    table = prepare_tabular(parameters.data_tabular, seed=1)
    table.write(folder / names.PREPARED / "tabular")
    prepare_images(parameters.data_images, seed=1).write(folder / names.PREPARED / "images")
    features = len(table.schema.features)
    save(folder, "fnn", "fnn", {"inputs": features, "outputs": 2, **HIDDEN})
    return folder


def run_start(model, source, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    code = card_words(model, source)[0]["start"]
    exec(compile(code, f"{model}.md", "exec"), {"__name__": "start"})
    return capsys.readouterr().out


def test_the_network_on_a_table_starts(repository, monkeypatch, capsys):
    assert "tensor" in run_start("fnn", "diabetes", repository, monkeypatch, capsys)


def test_the_classical_models_start_with_their_texts_and_without(
    root, repository, parameters, monkeypatch, capsys
):
    from plumbline.classical.folders import fit_baseline

    chosen = parameters.baseline.model_copy(update={"tabular": ("logistic_regression",)})
    data = repository / names.PREPARED / "tabular"
    fitted = fit_baseline(chosen, data=data, context=SimpleNamespace(seed=0))
    fitted.save(repository / names.MODEL_DIR / "baseline")
    out = run_start("baseline", "diabetes", repository, monkeypatch, capsys)
    assert "score_above_median" in out
    shutil.copy(root / "params.yaml", repository)
    every = facts._every_word()
    monkeypatch.setattr(facts, "_every_word", lambda: {**every, "models": {}})
    assert run_start("baseline", "diabetes", repository, monkeypatch, capsys) == out


def test_the_language_models_start(repository, parameters, monkeypatch, capsys):
    from plumbline.classical.folders import fit_ngram_model
    from plumbline.data.text.prepare import prepare as prepare_text

    few = parameters.data_text.model_copy(update={"max_characters": 100_000})
    data = repository / names.PREPARED / "text"
    prepare_text(few, seed=1).write(data)
    order = parameters.baseline.model_copy(update={"ngram_orders": (2,)})
    fitted = fit_ngram_model(order, data=data, context=SimpleNamespace(seed=0))
    fitted.save(repository / names.MODEL_DIR / "ngram")
    assert "nll" in run_start("ngram", "sklearn_docs", repository, monkeypatch, capsys)
    size = len(artifacts.read_vocabulary(data))
    arguments = {"vocabulary_size": size, "embedding_dim": 8, "hidden_dim": 8, "cell": "gru",
                 "layers": 1, "dropout": 0.0, "tied": False}  # fmt: skip
    save(repository, "rnn", "rnn", arguments)
    out = run_start("rnn", "sklearn_docs", repository, monkeypatch, capsys)
    assert out.startswith("The ")
    assert len(out) == len("The ") + 200 + 1


def test_the_digit_classifier_starts(repository, monkeypatch, capsys):
    arguments = {"image_size": 16, "image_channels": 1, "channels": [4, 4], "feature_dim": 8,
                 "outputs": 10, "dropout": 0.0, "mean": [0.5], "scale": [0.5]}  # fmt: skip
    save(repository, "cnn", "cnn", arguments, size=16)
    assert run_start("cnn", "digits", repository, monkeypatch, capsys).count("'") == 10


def test_the_generator_starts(repository, monkeypatch, capsys):
    arguments = {"image_size": 16, "channels": 1, "latent_dim": 4, "base_channels": 4,
                 "classes": 10}  # fmt: skip
    save(repository, "gan", "generator", arguments)
    assert "(10, 1, 16, 16)" in run_start("gan", "digits", repository, monkeypatch, capsys)


def test_the_backbone_and_the_fine_tuned_models_start(repository, monkeypatch, capsys):
    from plumbline.compat import torchvision

    torchvision.install()
    from plumbline.models import backbones

    arguments = {"architecture": "test_resnet", "outputs": 10, "image_size": 32, "channels": 1,
                 "mean": [0.5], "scale": [0.5], "dropout": 0.0}  # fmt: skip
    network = backbones.TimmClassifier(**arguments)
    hub = repository / names.MODEL_DIR / "backbone/hub"
    artifacts.write_weights(hub / "model.safetensors", portable_weights(network.network))
    artifacts.write_json(hub / "config.json", backbones.hub_config(network, classes=CLASSES))
    out = run_start("backbone", "matplotlib_fonts", repository, monkeypatch, capsys)
    assert out == "(1, 32, 32) 10\n"
    for strategy in ("scratch", "linear_probe", "full"):
        model = f"finetune_{strategy}"
        folder = repository / names.MODEL_DIR / model
        config = ModelConfig(
            model=model, architecture="timm", arguments=arguments, kind=names.CLASSIFICATION,
            dataset="images", source="digits", classes=CLASSES,
            inputs=({"name": "x", "dtype": "uint8", "shape": [-1, 1, 32, 32]},),
        )  # fmt: skip
        artifacts.save_model(folder, portable_weights(network), config)
        assert run_start(model, "digits", repository, monkeypatch, capsys).count("'") == 10
        shutil.rmtree(folder)
