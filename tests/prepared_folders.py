"""Small prepared folders that a network can learn within seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema

PLAIN = {"class_weights": "none", "decision": "argmax"}
# Parameters of networks that are switched off.
OFF = {"input_noise": 0.0, "mixup": 0.0, "prune": 0.0, "prune_epochs": 0}
FNN_OFF = {"drop_connect": 0.0, "regularisation": OFF}
CNN_OFF = {
    **FNN_OFF,
    "spatial_dropout": 0.0,
    "augmentation": {"shift": 0, "rotate": 0, "scale": 0.0, "mirror": False},
}
FINETUNE_OFF = {
    "strategies": {"stages": 1, "unfreeze_every": 1, "layer_decay": 0.5, "rank": 2},
    "rand_augment": None,
    "mixup": 0.0,
    "cutmix": 0.0,
    "ema_decay": 0.0,
    "distillation": None,
}
BASELINE = {
    "max_rows": 100_000,
    "classification": PLAIN,
    "svm": {"max_rows": 5000, "landmarks": 300, "approximate_rows": 5000},
}


def splits(count: int) -> list[str]:
    """Three of five rows train, one validates, one tests."""
    pattern = [names.TRAIN, names.TRAIN, names.TRAIN, names.VAL, names.TEST]
    return [pattern[i % 5] for i in range(count)]


def write_table_folder(folder: Path, *, task: str = "binary", count: int = 100) -> Path:
    """Two features far from zero; the class, or value, follows from the first."""
    rng = np.random.default_rng(0)
    signal = rng.normal(size=count)
    target = 500 + 30 * signal if task == "regression" else (signal > 0).astype("int64")
    table = pd.DataFrame(
        {
            "sample_id": [f"row-{i:03d}" for i in range(count)],
            "split": splits(count),
            "y": target,
            "weight": 70 + 10 * signal,
            "height": 170 + rng.normal(size=count),
            "sex": ["female" if i % 2 else "male" for i in range(count)],
        }
    )
    artifacts.write_table(folder / "table.parquet", table)
    regression = task == "regression"
    schema = DatasetSchema(
        dataset="tabular",
        source="made_up",
        task=task,
        classes=() if regression else ("low", "high"),
        attributes=("sex",),
        features=("weight", "height"),
    )
    artifacts.write_json(folder / "schema.json", schema)
    return folder


def write_image_folder(
    folder: Path, *, dataset: str = "images", size: int = 16, count: int = 120, classes: int = 3
) -> Path:
    """A bright bar on noise; its place is the class."""
    rng = np.random.default_rng(1)
    labels = np.arange(count) // 5 % classes
    images = rng.integers(0, 90, size=(count, 1, size, size), dtype=np.uint8)
    width = size // classes
    for image, label in zip(images, labels, strict=True):
        image[0, :, label * width + 1 : label * width + width - 1] += 150
    found = splits(count)
    table = pd.DataFrame(
        {
            "sample_id": [f"image-{i:03d}" for i in range(count)],
            "split": found,
            "y": labels,
            "labelled": [split == names.TRAIN and i % 2 == 0 for i, split in enumerate(found)],
            "thickness": ["thin" if i % 4 else "thick" for i in range(count)],
        }
    )
    artifacts.write_table(folder / "table.parquet", table)
    with (folder / f"images_{size}.npy").open("wb") as stream:
        np.save(stream, images)
    schema = DatasetSchema(
        dataset=dataset,
        source="made_up",
        task="multiclass",
        classes=tuple(f"bar{k}" for k in range(classes)),
        attributes=("thickness",),
    )
    artifacts.write_json(folder / "schema.json", schema)
    return folder


def write_text_folder(folder: Path, *, count: int = 20, words: int = 30) -> Path:
    """Documents of two words in random order: the first letter tells the rest of a word."""
    rng = np.random.default_rng(2)
    texts = ["".join(rng.choice(["abc ", "dea "], size=words + i)) for i in range(count)]
    table = pd.DataFrame(
        {
            "sample_id": [f"document-{i:02d}" for i in range(count)],
            "split": splits(count),
            "text": texts,
            "shelf": ["upper" if i % 2 else "lower" for i in range(count)],
        }
    )
    artifacts.write_table(folder / "documents.parquet", table)
    artifacts.write_json(folder / "vocabulary.json", [artifacts.RARE, *" abcde"])
    schema = DatasetSchema(dataset="text", source="made_up", task="language", attributes=("shelf",))
    artifacts.write_json(folder / "schema.json", schema)
    return folder
