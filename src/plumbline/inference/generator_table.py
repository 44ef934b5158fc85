"""What the pipeline's classifier sees in generated images, beside the real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema, ModelConfig, Predictions
from plumbline.data.pixels.moments import measure_styles
from plumbline.errors import ArtifactError
from plumbline.inference.generate import BATCH, Images, Labels, generate
from plumbline.inference.restore import restore
from plumbline.models.cnn import ConvNet


def predict_gan(
    model_folder: Path, extractor_folder: Path, data_folder: Path, *, n: int, seed: int
) -> tuple[Predictions, Images, Labels]:
    """Return the table of generated and real images, the generated ones, and the classes asked for.

    The real images are those of the test split, which neither generator nor classifier has seen.
    The generator is asked for their classes, over and over, so that classes are as frequent in
    both sets.

    Parameters
    ----------
    model_folder : Path
        Generator.
    extractor_folder : Path
        Convolutional classifier that reads the images; its features are kept for distances.
    data_folder : Path
        Prepared images.
    n : int
        Number of generated images.
    seed : int

    Raises
    ------
    ArtifactError
        If a folder holds another kind of model, or models and data do not belong together.
    """
    config, schema = ModelConfig.read(model_folder), DatasetSchema.read(data_folder)
    if config.classes != schema.classes:
        raise ArtifactError(
            f"{model_folder.name}: classes must be those of {data_folder.name}, "
            f"{list(schema.classes)}, got {list(config.classes)}; train the generator on this data"
        )
    table = artifacts.read_split_table(data_folder)
    size = int(config.arguments["image_size"])
    held_out = (table["split"] == names.TEST).to_numpy()
    real = artifacts.read_images(data_folder, size, rows=len(table))[held_out]
    reference = table.loc[held_out, ["sample_id", "y"]].reset_index(drop=True)
    asked = np.resize(reference["y"].to_numpy(dtype=np.int64), n)
    made, labels = generate(model_folder, n=n, seed=seed, labels=asked)
    extractor = _extractor(extractor_folder, schema)
    parts = (
        _rows(made, labels, _ids(n), names.TEST, extractor=extractor, schema=schema),
        _rows(
            real,
            reference["y"].to_numpy(dtype=np.int64),
            list(reference["sample_id"]),
            names.REFERENCE,
            extractor=extractor,
            schema=schema,
        ),
    )
    return _predictions(parts, config, schema, measured=_measured(schema, size)), made, labels


def style_groups(images: Images, schema: DatasetSchema) -> pd.DataFrame:
    """Return the style groups of images ``(N, C, S, S)``, by the bounds of the prepared data.

    Raises
    ------
    ArtifactError
        If the data keep no bounds for this image size.
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
    schema: DatasetSchema,
) -> pd.DataFrame:
    features, scores = _read_images(extractor, images)
    columns = {"sample_id": ids, "split": split, "y_true": labels, "y_pred": scores.argmax(axis=1)}
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


def _extractor(folder: Path, schema: DatasetSchema) -> ConvNet:
    network, config = restore(folder)
    if not isinstance(network, ConvNet) or config.classes != schema.classes:
        raise ArtifactError(
            f"{folder.name}: model must be a convolutional classifier of the classes "
            f"{list(schema.classes)}, got {config.architecture!r} of {list(config.classes)}"
        )
    return network


def _ids(n: int) -> list[str]:
    return [f"generated-{i:05d}" for i in range(n)]
