"""A prepared data set under audit: its table, and vectors that measure similarity of samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema
from plumbline.errors import DataError
from plumbline.metrics.intervals.survey_design import Design

Floats = npt.NDArray[np.float64]

SIDE = 16  # pixels; larger images are averaged to about this side before they are compared
TEXT_COLUMNS = 50  # leading singular vectors that represent a document


@dataclass(frozen=True)
class AuditedDataset:
    """A data set under audit.

    Attributes
    ----------
    schema : DatasetSchema
    table : DataFrame
        One row per sample: ``sample_id, split``, ``y`` (not for text), attributes, features.
    images : array of uint8 (N, C, H, W), or None
        Of the smallest prepared size.
    """

    schema: DatasetSchema
    table: pd.DataFrame
    images: npt.NDArray[np.uint8] | None = None

    @property
    def train(self) -> npt.NDArray[np.bool_]:
        """Mask of the rows in the training split, ``(N,)``."""
        found: npt.NDArray[np.bool_] = (self.table["split"] == names.TRAIN).to_numpy()
        return found

    @property
    def labels(self) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
        """The class of every row, ``(N,)``, and the names of the classes.

        A numeric target is split at the median of its training rows; text has no classes.
        """
        if "y" not in self.table:
            return np.zeros(len(self.table), dtype=np.int64), ()
        y = self.table["y"].to_numpy()
        if self.schema.classes:
            return y.astype(np.int64), self.schema.classes
        cut = float(np.median(y[self.train]))
        return (y > cut).astype(np.int64), ("up to the median", "above the median")

    @property
    def design(self) -> Design:
        """The weights and entities of the rows."""
        weight, entity = (
            self.table[column].to_numpy() if column in self.table else None
            for column in (names.WEIGHT, names.ENTITY)
        )
        return Design.of(weight, entity)

    def entities(self, rows: npt.NDArray[np.int64]) -> list[str] | None:
        """Return the entity of each of the rows, None if no entities are known."""
        if names.ENTITY not in self.table:
            return None
        return [str(value) for value in self.table[names.ENTITY].iloc[rows]]

    def sampled(self, max_rows: int) -> npt.NDArray[np.int64]:
        """Return at most ``max_rows`` row numbers in ascending order, chosen by id alone."""
        if len(self.table) <= max_rows:
            return np.arange(len(self.table))
        keys = pd.util.hash_array(self.table["sample_id"].to_numpy(dtype=object))
        return np.sort(np.argsort(keys, kind="stable")[:max_rows])

    @classmethod
    def read(cls, folder: Path) -> AuditedDataset:
        """Read a prepared folder.

        Raises
        ------
        ArtifactError
            If a file is missing or breaks its schema.
        """
        schema = DatasetSchema.read(folder)
        if schema.dataset == names.TEXT:
            return cls(schema, artifacts.read_split_table(folder, name="documents.parquet"))
        table = artifacts.read_split_table(folder)
        sizes = sorted(int(p.stem.removeprefix("images_")) for p in folder.glob("images_*.npy"))
        images = artifacts.read_images(folder, sizes[0], rows=len(table)) if sizes else None
        return cls(schema, table, images)


def digests(dataset: AuditedDataset, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Return a hash of each row's content, ``(len(rows),)``.

    The content is a table's features, an image's pixels, or a text with white space collapsed.
    """
    if dataset.images is not None:
        content = [pixels.tobytes().hex() for pixels in dataset.images[rows]]
    elif dataset.schema.dataset == names.TEXT:
        content = [" ".join(text.split()) for text in dataset.table["text"].iloc[rows]]
    else:
        found = pd.util.hash_pandas_object(_features(dataset, rows), index=False).to_numpy()
        return np.asarray(found, dtype=np.uint64)
    hashed = pd.util.hash_array(np.array(content, dtype=object), categorize=False)
    return np.asarray(hashed, dtype=np.uint64)


def vectors(dataset: AuditedDataset, rows: npt.NDArray[np.int64]) -> Floats:
    """Return one vector per row, ``(len(rows), D)``, for neighbours and proxies.

    A table's features in standard deviations of its training rows (categories as 0 and 1, missing
    values as the mean); an image's grey levels in [0, 1] at a side of about 16; a document's
    leading singular vectors of hashed words.

    Raises
    ------
    DataError
        If a table has no feature.
    """
    if dataset.images is not None:
        return _pixels(dataset.images[rows])
    if dataset.schema.dataset == names.TEXT:
        return _words(list(dataset.table["text"].iloc[rows]))
    features = pd.get_dummies(_features(dataset, rows), dtype=np.float64)
    if features.shape[1] == 0:
        raise DataError(f"{dataset.schema.source}: table must have a feature, got none")
    values = features.to_numpy(dtype=np.float64)
    train = dataset.train[rows]
    with np.errstate(invalid="ignore"):
        centre = np.nanmean(values[train], axis=0)
        spread = np.nanstd(values[train], axis=0)
    scaled: Floats = (values - centre) / np.where(spread > 0, spread, 1.0)
    return np.nan_to_num(scaled, nan=0.0)


def _features(dataset: AuditedDataset, rows: npt.NDArray[np.int64]) -> pd.DataFrame:
    return dataset.table[list(dataset.schema.features)].iloc[rows].reset_index(drop=True)


def _pixels(images: npt.NDArray[np.uint8]) -> Floats:
    grey = images.mean(axis=1) / 255  # (N, H, W)
    count, side = grey.shape[0], grey.shape[-1]
    block = max(side // SIDE, 1)
    kept = side // block * block
    parts = grey[:, :kept, :kept].reshape(count, kept // block, block, kept // block, block)
    reduced: Floats = parts.mean(axis=(2, 4)).reshape(count, -1)
    return reduced


def _words(texts: list[str]) -> Floats:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import HashingVectorizer

    hashed = HashingVectorizer(n_features=2**14, token_pattern=r"\w+", alternate_sign=False)
    columns = min(TEXT_COLUMNS, len(texts) - 1)
    found: Floats = TruncatedSVD(columns, random_state=0).fit_transform(hashed.transform(texts))
    return found
