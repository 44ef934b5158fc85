"""Predictions table of a generator: features of generated and real images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema, Decision, ModelConfig, Predictions
from plumbline.data.pixels.moments import measure_styles
from plumbline.errors import ArtifactError
from plumbline.inference.generate import BATCH, Images, Labels, generate
from plumbline.inference.outputs import ModelOutput, named, split_models
from plumbline.inference.restore import restore
from plumbline.models.cnn import ConvNet

if TYPE_CHECKING:
    from plumbline.params.reports import EvaluateParams


def predict_generator(
    models: Mapping[str, Path], data: Path, *, options: EvaluateParams, seed: int
) -> ModelOutput:
    """Describe generated and real images by the features of a classifier.

    The real images are those of the test split, which neither generator nor classifier has seen.

    Parameters
    ----------
    models : mapping of Path
        The folder of the generator, and that of the one model that it needs: the feature extractor,
        a convolutional classifier of the same images. By their names in the catalogue.
    data : Path
        Prepared images.
    options : EvaluateParams
        ``generated_samples`` images are generated.
    seed : int
        Of the latent numbers.

    Raises
    ------
    ArtifactError
        If a folder holds another kind of model, or models and data do not belong together.
    """
    name, folder, needed = split_models(models)
    ((extractor_name, extractor_folder),) = needed.items()
    schema = DatasetSchema.read(data)
    config = _checked_config(folder, data, schema)
    extractor, decision = _extractor(extractor_folder, schema)
    described: dict[str, Any] = {"extractor": extractor, "decision": decision, "schema": schema}
    images, labels = _generated(folder, data, n=options.generated_samples, seed=seed)
    reference, real = _held_out(data, int(config.arguments["image_size"]))
    parts = (
        _rows(images, labels, _ids(len(labels)), names.TEST, **described),
        _rows(
            real,
            reference["y"].to_numpy(dtype=np.int64),
            list(reference["sample_id"]),
            names.REFERENCE,
            **described,
        ),
    )
    measured = _measured(schema, images.shape[-1])
    return ModelOutput(
        named(_predictions(parts, config, schema, measured=measured), name),
        extractor_info={
            "extractor": extractor_name,
            "sha256": artifacts.digest(extractor_folder / "model.safetensors"),
            "seed": seed,
            **({} if decision is None else {"threshold": decision.threshold}),
        },
    )


def write_images(
    models: Mapping[str, Path], data: Path, *, options: EvaluateParams, seed: int, folder: Path
) -> None:
    """Write ``images`` ``(N, C, S, S)`` and ``labels`` ``(N,)``: requested classes, codes.

    Parameters
    ----------
    models, data, options, seed
        As in `predict_generator`, which describes the same images if its seed is the same.
    folder : Path
        Where the file goes.
    """
    _, model, _ = split_models(models)
    images, labels = _generated(model, data, n=options.generated_samples, seed=seed)
    with artifacts.atomic(folder / names.IMAGE_SAMPLES) as path:
        np.savez(path, images=images, labels=labels)


def _generated(model: Path, data: Path, *, n: int, seed: int) -> tuple[Images, Labels]:
    """Return ``n`` images of the classes of the test images, over and over.

    Classes are as frequent in both sets.
    """
    table = artifacts.read_split_table(data)
    classes = table.loc[table["split"] == names.TEST, "y"].to_numpy(dtype=np.int64)
    return generate(model, n=n, seed=seed, labels=np.resize(classes, n))


def _held_out(data: Path, size: int) -> tuple[pd.DataFrame, Images]:
    """Return the rows and the images of the test split."""
    table = artifacts.read_split_table(data)
    held_out = (table["split"] == names.TEST).to_numpy()
    return table[held_out], artifacts.read_images(data, size, rows=len(table))[held_out]


def _checked_config(folder: Path, data: Path, schema: DatasetSchema) -> ModelConfig:
    config = ModelConfig.read(folder)
    if config.classes != schema.classes:
        raise ArtifactError(
            f"{folder.name}: classes must be those of {data.name}, {list(schema.classes)}, got "
            f"{list(config.classes)}; train the generator on this data"
        )
    return config


def style_groups(images: Images, schema: DatasetSchema) -> pd.DataFrame:
    """Return the style groups of images ``(N, C, S, S)``, by the thresholds of the prepared data.

    Raises
    ------
    ArtifactError
        If the data have no thresholds for this image size.
    """
    size = str(images.shape[-1])
    thresholds = schema.about.get("thresholds", {})
    if size not in thresholds:
        raise ArtifactError(
            f"{schema.dataset}/schema.json: about.thresholds must hold image size {size}, "
            f"got {sorted(thresholds)}"
        )
    grey = images.mean(axis=1).round().astype(np.uint8)  # (N, S, S)
    return measure_styles(grey, thresholds[size])


def _measured(schema: DatasetSchema, size: int) -> tuple[str, ...]:
    """Return the attributes that can be measured on an image, as those of people cannot."""
    measured = schema.about["thresholds"][str(size)]
    return tuple(attribute for attribute in schema.attributes if attribute in measured)


def _predictions(
    parts: tuple[pd.DataFrame, ...],
    config: ModelConfig,
    schema: DatasetSchema,
    *,
    measured: tuple[str, ...],
) -> Predictions:
    return Predictions(
        table=pd.concat(parts, ignore_index=True),
        model=config.model,
        kind=config.kind,
        dataset=schema.dataset,
        source=schema.source,
        classes=schema.classes,
        positive=None,
        attributes=measured,
    )


def _rows(
    images: Images,
    labels: Labels,
    ids: list[str],
    split: str,
    *,
    extractor: ConvNet,
    decision: Decision | None,
    schema: DatasetSchema,
) -> pd.DataFrame:
    features, scores = _read_images(extractor, images)
    decided = artifacts.decide(scores, decision)
    columns = {"sample_id": ids, "split": split, "y_true": labels, "y_pred": decided}
    columns |= {f"score_{name}": scores[:, k] for k, name in enumerate(schema.classes)}
    columns |= {f"feature_{i}": column for i, column in enumerate(features.T)}
    return pd.concat([pd.DataFrame(columns), style_groups(images, schema)], axis=1)


@torch.inference_mode()
def _read_images(
    extractor: ConvNet, images: Images
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return features ``(N, F)`` and class probabilities ``(N, K)``."""
    batches = torch.split(torch.tensor(images), BATCH)
    features = torch.cat([extractor.features(batch) for batch in batches])
    scores = extractor.head(features).double().softmax(dim=1)
    return features.double().numpy(), scores.numpy()


def _extractor(folder: Path, schema: DatasetSchema) -> tuple[ConvNet, Decision | None]:
    network, config = restore(folder)
    if not isinstance(network, ConvNet) or config.classes != schema.classes:
        raise ArtifactError(
            f"{folder.name}: model must be a convolutional classifier of the classes "
            f"{list(schema.classes)}, got {config.architecture!r} of {list(config.classes)}"
        )
    return network, config.decision()


def _ids(n: int) -> list[str]:
    return [f"generated-{i:05d}" for i in range(n)]
