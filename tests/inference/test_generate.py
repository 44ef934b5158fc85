"""Images from a generator's folder, and the table of what the classifier sees in them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest
import torch

from plumbline import artifacts, models, names
from plumbline.artifacts import DatasetSchema, Decision, ModelConfig, Predictions
from plumbline.data.pixels.moments import measure_styles, style_thresholds
from plumbline.errors import ArtifactError
from plumbline.inference import generate as generation
from plumbline.inference.generate import generate
from plumbline.inference.generator_table import predict_generator, write_images
from plumbline.inference.outputs import ModelOutput
from tests.prepared_folders import write_image_folder

CLASSES = ("bar0", "bar1", "bar2")
GENERATOR = {
    "image_size": 16, "channels": 1, "classes": 3, "latent_dim": 5, "base_channels": 4,
}  # fmt: skip
CNN = {
    "image_size": 16, "image_channels": 1, "channels": [2], "feature_dim": 4, "outputs": 3,
    "dropout": 0.5, "mean": [0.4], "scale": [0.3],
}  # fmt: skip

OPTIONS = SimpleNamespace(generated_samples=30)


def samples(
    folders: dict[str, Path], data: Path, target: Path
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    write_images(folders, data, options=OPTIONS, seed=2, folder=target)
    with np.load(target / names.IMAGE_SAMPLES) as found:
        return found["images"], found["labels"]


def save(folder: Path, architecture: str, arguments: dict[str, object], kind: str) -> Path:
    torch.manual_seed(0)
    network = models.build(architecture, **arguments)
    config = ModelConfig(
        model=folder.name,
        architecture=architecture,
        arguments=arguments,
        kind=kind,
        dataset="images",
        source="made_up",
        classes=CLASSES,
    )
    artifacts.save_model(folder, network.state_dict(), config)
    return folder


@pytest.fixture
def gan(tmp_path: Path) -> Path:
    return save(tmp_path / "gan", "generator", GENERATOR, names.GENERATOR)


@pytest.fixture
def cnn(tmp_path: Path) -> Path:
    return save(tmp_path / "cnn", "cnn", CNN, names.CLASSIFICATION)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return with_thresholds(write_image_folder(tmp_path / "images"))


def with_thresholds(folder: Path) -> Path:
    schema = DatasetSchema.read(folder)
    images = np.load(folder / "images_16.npy")[:, 0]
    thresholds = {"16": style_thresholds(images)}
    schema = replace(schema, attributes=("thickness", "slant"), about={"thresholds": thresholds})
    artifacts.write_json(folder / "schema.json", schema)
    return folder


def test_images_are_bytes_and_classes_come_in_turn(gan: Path) -> None:
    images, labels = generate(gan, n=7, seed=0)
    assert images.shape == (7, 1, 16, 16)
    assert images.dtype == np.uint8
    assert labels.tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_images_depend_on_neither_batch_size_nor_number(
    gan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, _ = generate(gan, n=40, seed=0)
    for batch_size in (1, 7, 1000):
        monkeypatch.setattr(generation, "BATCH", batch_size)
        assert np.array_equal(generate(gan, n=40, seed=0)[0], images)
    assert np.array_equal(generate(gan, n=11, seed=0)[0], images[:11])
    assert not np.array_equal(generate(gan, n=40, seed=1)[0], images)


def test_pixels_are_the_tanh_of_the_network_in_bytes(gan: Path) -> None:
    images, labels = generate(gan, n=2, seed=3)
    network = models.build("generator", **GENERATOR)
    weights = {k: torch.from_numpy(w) for k, w in artifacts.load_weights(gan).items()}
    network.load_state_dict(weights)
    latent = torch.from_numpy(np.random.default_rng(3).standard_normal((2, 5))).float()
    with torch.no_grad():
        pixels = network.eval()(latent, torch.from_numpy(labels)).numpy()
    np.testing.assert_allclose(images, (pixels + 1) * 127.5, atol=0.51)


def test_the_class_asked_for_is_kept(gan: Path) -> None:
    asked = [2, 2, 0]
    images, labels = generate(gan, n=3, seed=0, labels=asked)
    assert labels.tolist() == asked
    assert not np.array_equal(images, generate(gan, n=3, seed=0)[0])


@pytest.mark.parametrize(
    ("n", "labels", "message"),
    [
        (0, None, "generate: n must be >= 1, got 0"),
        (2, [0, 1, 2], "generate: labels must be 2 class codes, got int64 (3,)"),
        (2, [0.0, 1.0], "generate: labels must be 2 class codes, got float64 (2,)"),
        (2, [0, 3], "generate: labels must be codes in 0…2, got 0…3"),
    ],
)
def test_unfit_requests_are_refused(
    gan: Path, n: int, labels: list[int] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        generate(gan, n=n, seed=0, labels=labels)


def test_a_classifier_generates_nothing(cnn: Path) -> None:
    with pytest.raises(ArtifactError) as caught:
        generate(cnn, n=1, seed=0)
    assert str(caught.value) == "cnn: architecture must be generator, got 'cnn'"


def test_the_table_holds_generated_and_real_images_side_by_side(
    gan: Path, cnn: Path, data: Path, tmp_path: Path
) -> None:
    models_ = {"painter": gan, "reader": cnn}
    predict_generator(models_, data, options=OPTIONS, seed=2).predictions.write(
        tmp_path / "gan.parquet"
    )
    images, labels = samples(models_, data, tmp_path)
    table = Predictions.read(tmp_path / "gan.parquet").table
    made, real = (table[table["split"] == split] for split in ("test", "reference"))
    source, _ = artifacts.read_table(data / "table.parquet")
    held_out = source[source["split"] == "test"]
    assert list(real["sample_id"]) == list(held_out["sample_id"])
    assert list(real["y_true"]) == list(held_out["y"])
    # The generator is asked for the classes of the real images, over and over.
    assert list(made["y_true"]) == [*held_out["y"], *held_out["y"]][:30] == labels.tolist()
    assert np.array_equal(images, generate(gan, n=30, seed=2, labels=labels)[0])


def test_the_feature_extractor_is_named_with_the_digest_of_its_weights(
    gan: Path, cnn: Path, data: Path
) -> None:
    found = predict_generator({"painter": gan, "reader": cnn}, data, options=OPTIONS, seed=2)
    weights = (cnn / "model.safetensors").read_bytes()
    assert found.extractor_info == {
        "extractor": "reader", "sha256": hashlib.sha256(weights).hexdigest(), "seed": 2,
    }  # fmt: skip
    assert found.predictions.model == "painter"
    assert found.references == {}


def test_an_extractor_with_a_threshold_recognises_classes_by_it(tmp_path: Path) -> None:
    gan = save(tmp_path / "gan", "generator", {**GENERATOR, "classes": 2}, names.GENERATOR)
    cnn = save(tmp_path / "cnn", "cnn", {**CNN, "outputs": 2}, names.CLASSIFICATION)
    for folder in (gan, cnn):
        config = ModelConfig.read(folder)
        artifacts.write_json(folder / "config.json", replace(config, classes=CLASSES[:2]))
    data = with_thresholds(write_image_folder(tmp_path / "images", classes=2))

    def described() -> ModelOutput:
        return predict_generator({"gan": gan, "cnn": cnn}, data, options=OPTIONS, seed=2)

    plain = described()
    scores = plain.predictions.scores()[:, 1]
    threshold = float(f"{np.quantile(scores, 0.8):.10g}")
    config = ModelConfig.read(cnn)
    decision = Decision(threshold, CLASSES[1])
    artifacts.write_json(cnn / "config.json", replace(config, facts={"decision": decision.facts()}))
    found = described()
    decided = found.predictions.table["y_pred"]
    assert decided.tolist() == (scores >= threshold).astype(int).tolist()
    assert decided.tolist() != plain.predictions.table["y_pred"].tolist()
    assert found.extractor_info["threshold"] == threshold
    assert "threshold" not in plain.extractor_info


def test_both_kinds_of_rows_are_read_and_measured_in_the_same_way(
    gan: Path, cnn: Path, data: Path, tmp_path: Path
) -> None:
    models_ = {"gan": gan, "cnn": cnn}
    predictions = predict_generator(models_, data, options=OPTIONS, seed=2).predictions
    images, _ = samples(models_, data, tmp_path)
    source, _ = artifacts.read_table(data / "table.parquet")
    real = np.load(data / "images_16.npy")[(source["split"] == "test").to_numpy()]
    everything = np.concatenate([images, real])
    network = models.build("cnn", **CNN).eval()
    network.load_state_dict(
        {k: torch.from_numpy(w) for k, w in artifacts.load_weights(cnn).items()}
    )
    with torch.no_grad():
        logits = network(torch.from_numpy(everything)).numpy()
    odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(predictions.scores(), odds, atol=1e-5)
    assert predictions.table["y_pred"].tolist() == odds.argmax(axis=1).tolist()
    assert predictions.features().shape == (len(everything), 4)
    thresholds = DatasetSchema.read(data).about["thresholds"]["16"]
    styles = measure_styles(everything[:, 0], thresholds)
    for attribute in ("thickness", "slant"):
        assert predictions.table[attribute].tolist() == styles[attribute].tolist()


def test_other_classes_another_reader_and_missing_bounds_are_refused(
    gan: Path, cnn: Path, data: Path
) -> None:
    with pytest.raises(ArtifactError) as caught:
        predict_generator({"gan": gan, "cnn": gan}, data, options=OPTIONS, seed=0)
    assert str(caught.value) == (
        "gan: model must be a convolutional classifier of the classes ['bar0', 'bar1', 'bar2'], "
        "got 'generator' of ['bar0', 'bar1', 'bar2']"
    )
    schema = DatasetSchema.read(data)
    artifacts.write_json(data / "schema.json", replace(schema, about={}))
    with pytest.raises(ArtifactError) as caught:
        predict_generator({"gan": gan, "cnn": cnn}, data, options=OPTIONS, seed=0)
    assert str(caught.value) == (
        "images/schema.json: about.thresholds must hold image size 16, got []"
    )
    artifacts.write_json(data / "schema.json", replace(schema, classes=("x", "y", "z")))
    with pytest.raises(ArtifactError) as caught:
        predict_generator({"gan": gan, "cnn": cnn}, data, options=OPTIONS, seed=0)
    assert str(caught.value) == (
        "gan: classes must be those of images, ['x', 'y', 'z'], got ['bar0', 'bar1', 'bar2']; "
        "train the generator on this data"
    )
