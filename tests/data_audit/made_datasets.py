"""Small data sets with a known truth."""

from __future__ import annotations

import copy
import functools
from typing import Any

import numpy as np
import pandas as pd

from plumbline.artifacts import DatasetSchema
from plumbline.data_audit.build import audit_dataset
from plumbline.data_audit.dataset import AuditedDataset
from plumbline.data_audit.options import DataAuditOptions, DuplicateThresholds

THRESHOLDS = DuplicateThresholds(table_distance=0.02, image_distance=0.03, text_containment=0.5)
OPTIONS = DataAuditOptions(
    confidence=0.95, min_group_size=10, compare_unknown=False, max_order=2,
    near_duplicate=THRESHOLDS, neighbours=5, folds=5,
    max_rows=4000, seed=0,
)  # fmt: skip


def splits(count: int) -> np.ndarray:
    """Three of five rows train, one validates, one tests."""
    return np.resize(np.array(["train", "train", "train", "val", "test"], dtype=object), count)


def table(count: int = 400, *, seed: int = 0) -> AuditedDataset:
    """The label follows from ``signal``; ``hint`` gives sex away; region is unrelated to all."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=count)
    sex = rng.permutation(np.resize(["female", "male"], count))
    frame = pd.DataFrame(
        {
            "sample_id": [f"row-{i:04d}" for i in range(count)],
            "split": splits(count),
            "y": (signal > 0).astype(np.int64),
            "signal": signal,
            **{f"noise_{i}": rng.normal(size=count) for i in range(3)},
            "hint": (sex == "female") + rng.normal(size=count, scale=0.3),
            "sex": sex,
            "region": rng.choice(["north", "south"], size=count),
        }
    )
    schema = DatasetSchema(
        dataset="tabular",
        source="made_up",
        task="binary",
        classes=("no", "yes"),
        attributes=("sex", "region"),
        features=("signal", "hint", "noise_0", "noise_1", "noise_2"),
    )
    return AuditedDataset(schema, frame)


def images(count: int = 200, *, side: int = 8) -> AuditedDataset:
    """Noise on two levels of grey: the level is the class."""
    rng = np.random.default_rng(1)
    y = np.arange(count) // 5 % 2
    pixels = rng.integers(0, 60, size=(count, 1, side, side), dtype=np.uint8)
    pixels += (150 * y).astype(np.uint8)[:, None, None, None]
    frame = pd.DataFrame(
        {
            "sample_id": [f"image-{i:04d}" for i in range(count)],
            "split": splits(count),
            "y": y,
            "side": np.resize(["left", "right", "right"], count),
        }
    )
    schema = DatasetSchema(
        dataset="images", source="made_up", task="multiclass", classes=("dark", "light"),
        attributes=("side",),
    )  # fmt: skip
    return AuditedDataset(schema, frame, pixels)


def texts(count: int = 60) -> AuditedDataset:
    """Different sentences of random words."""
    rng = np.random.default_rng(2)
    lexicon = ["".join(rng.choice(list("abcdefgh"), size=5)) for _ in range(300)]
    frame = pd.DataFrame(
        {
            "sample_id": [f"document-{i:02d}" for i in range(count)],
            "split": splits(count),
            "text": [" ".join(rng.choice(lexicon, size=60)) for _ in range(count)],
            "shelf": np.resize(["upper", "lower"], count),
        }
    )
    schema = DatasetSchema(dataset="text", source="made_up", task="language", attributes=("shelf",))
    return AuditedDataset(schema, frame)


MADE = {"table": table, "images": images, "texts": texts}


def audit_of(kind: str) -> dict[str, Any]:
    """Return the audit of one of `MADE` as it is; it takes seconds and is computed once."""
    return copy.deepcopy(_audit_of(kind))


@functools.cache
def _audit_of(kind: str) -> dict[str, Any]:
    return audit_dataset(MADE[kind](), options=OPTIONS, reference={})
