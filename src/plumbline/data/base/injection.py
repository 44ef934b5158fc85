"""Bias planted on purpose, in the training split only, to test audits against a known truth.

Three kinds, each by the groups of an attribute: fewer samples (representation), wrong labels
(labels) and worse measurements (measurement; H. Suresh and J. Guttag, "A Framework for
Understanding Sources of Harm throughout the Machine Learning Life Cycle", 2021, section 3). What is
done to a sample is a function of the seed and its id alone. The schema says what was planted, and
so do the data audit, the datasheet and the cards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.data.base.draws import uniforms
from plumbline.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from plumbline.data.base.prepared import PreparedData

Pixels = npt.NDArray[np.uint8]
Rates = Mapping[str, Mapping[str, float]]


class Degradation(Protocol):
    """How a measurement becomes worse."""

    @property
    def blur(self) -> float:
        """Standard deviation of a Gaussian blur, in pixels of the smallest prepared size."""

    @property
    def noise(self) -> float:
        """Standard deviation of added noise: grey levels, or standard deviations of a feature."""


class Planting(Protocol):
    """What is planted: by attribute and group."""

    @property
    def resample(self) -> Rates:
        """Share of the group's training samples that is kept."""

    @property
    def label_noise(self) -> Rates:
        """Probability that a training label of the group becomes another one."""

    @property
    def degrade(self) -> Mapping[str, Mapping[str, Degradation]]:
        """How measurements of the group's training samples become worse."""


def plant(prepared: PreparedData, planting: Planting, *, seed: int) -> PreparedData:
    """Return the data with the bias in their training split and said in ``about["planted"]``.

    Parameters
    ----------
    prepared : PreparedData
    planting : Planting
        Three mappings, all empty for data as they are.
    seed : int

    Raises
    ------
    DataError
        If an attribute or group does not exist, or data cannot be changed in this way.
    """
    rules = [*_rules(planting.resample), *_rules(planting.label_noise), *_rules(planting.degrade)]
    if not rules:
        return prepared
    for attribute, group, _ in rules:
        _check_group(prepared, attribute, group)
    said: list[str] = []
    changed = _with_noisy_labels(prepared, planting.label_noise, seed=seed, said=said)
    changed = _degraded(changed, planting.degrade, seed=seed, said=said)
    changed = _thinned(changed, planting.resample, seed=seed, said=said)
    about = {**changed.schema.about, "planted": said}
    return replace(changed, schema=replace(changed.schema, about=about))


def plant_folder(folder: Path, planting: Planting, *, seed: int) -> dict[str, float]:
    """Plant bias in a prepared folder; return its new counts, nothing where nothing is planted.

    Raises
    ------
    DataError
        See `plant`.
    """
    if not (planting.resample or planting.label_noise or planting.degrade):
        return {}
    from plumbline import artifacts
    from plumbline.data.base.prepared import PreparedData

    table = artifacts.read_split_table(folder)
    sizes = sorted(int(p.stem.removeprefix("images_")) for p in folder.glob("images_*.npy"))
    images = {size: artifacts.read_images(folder, size, rows=len(table)) for size in sizes}
    schema = artifacts.DatasetSchema.read(folder)
    planted = plant(PreparedData(schema, table, images), planting, seed=seed)
    planted.write(folder)
    return planted.counts()


def kept(ids: Sequence[str], *, share: float, purpose: str) -> npt.NDArray[np.bool_]:
    """Return which samples are drawn with probability ``share``, ``(N,)``, each by its own id."""
    drawn = np.array([uniforms(f"{purpose}/{name}", 1)[0] for name in ids], dtype=np.float64)
    return drawn < share


def flipped(
    labels: npt.NDArray[np.int64], ids: Sequence[str], *, classes: int, purpose: str
) -> npt.NDArray[np.int64]:
    """Return another label for each sample, every other class equally likely, ``(N,)``."""
    drawn = np.array([uniforms(f"{purpose}/{name}", 1)[0] for name in ids], dtype=np.float64)
    steps = 1 + np.floor(drawn * (classes - 1)).astype(np.int64)
    return (labels + steps) % classes


def degraded(images: Pixels, ids: Sequence[str], rule: Degradation, *, purpose: str) -> Pixels:
    """Return blurred and noisy images, ``(N, C, H, W)``; ``rule.blur`` in pixels of these."""
    from scipy.ndimage import gaussian_filter

    worse = images.astype(np.float64)
    if rule.blur:
        worse = gaussian_filter(worse, sigma=(0, 0, rule.blur, rule.blur), mode="nearest")
    if rule.noise:
        worse += rule.noise * _normals(ids, images.shape[1:], purpose=purpose)
    return np.rint(np.clip(worse, 0, 255)).astype(np.uint8)


def _rules(by_attribute: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, Any]]:
    for attribute, by_group in by_attribute.items():
        for group, rule in by_group.items():
            yield attribute, group, rule


def _check_group(prepared: PreparedData, attribute: str, group: str) -> None:
    schema = prepared.schema
    if attribute not in schema.attributes:
        raise DataError(
            f"{schema.source}: bias must be planted by one of {', '.join(schema.attributes)}, got "
            f"{attribute!r}"
        )
    if group not in set(prepared.table[attribute]):
        known = ", ".join(sorted(set(prepared.table[attribute])))
        raise DataError(
            f"{schema.source}: a group of {attribute} must be one of {known}, got {group!r}"
        )


def _members(table: pd.DataFrame, attribute: str, group: str) -> npt.NDArray[np.int64]:
    found = (table["split"] == names.TRAIN) & (table[attribute] == group)
    return np.flatnonzero(found.to_numpy())


def _ids(table: pd.DataFrame, rows: npt.NDArray[np.int64]) -> list[str]:
    return [str(name) for name in table["sample_id"].iloc[rows]]


def _with_noisy_labels(
    prepared: PreparedData, rates: Rates, *, seed: int, said: list[str]
) -> PreparedData:
    classes = len(prepared.schema.classes)
    if rates and classes < 2:
        raise DataError(
            f"{prepared.schema.source}: label_noise must be planted in data with classes, got none"
        )
    table = prepared.table.copy()
    for attribute, group, rate in _rules(rates):
        rows, purpose = _members(table, attribute, group), f"{seed}/labels/{attribute}/{group}"
        ids = _ids(table, rows)
        chosen = kept(ids, share=rate, purpose=purpose)
        hit, hit_ids = rows[chosen], [name for name, c in zip(ids, chosen, strict=True) if c]
        y = table["y"].to_numpy(dtype=np.int64, copy=True)
        y[hit] = flipped(y[hit], hit_ids, classes=classes, purpose=f"{purpose}/class")
        table["y"] = y
        said.append(
            f"{len(hit)} of {len(rows)} training labels of {attribute} {group} were changed to "
            f"another class (each with probability {rate:g})"
        )
    return replace(prepared, table=table)


def _degraded(
    prepared: PreparedData,
    rules: Mapping[str, Mapping[str, Degradation]],
    *,
    seed: int,
    said: list[str],
) -> PreparedData:
    images = {size: stack.copy() for size, stack in prepared.images.items()}
    table = prepared.table.copy()
    for attribute, group, rule in _rules(rules):
        rows, purpose = _members(table, attribute, group), f"{seed}/degrade/{attribute}/{group}"
        ids = _ids(table, rows)
        if images:
            for size, stack in images.items():
                own = _Scaled(rule.blur * size / min(images), rule.noise)
                stack[rows] = degraded(stack[rows], ids, own, purpose=f"{purpose}/{size}")
            how = (
                f"blurred by {rule.blur:g} pixels of {min(images)} and given noise of "
                f"{rule.noise:g} grey levels"
            )
        else:
            _degrade_features(prepared, table, rows, ids, rule, purpose=purpose)
            how = f"given noise of {rule.noise:g} standard deviations in every feature"
        said.append(f"{len(rows)} training samples of {attribute} {group} were {how}")
    return replace(prepared, table=table, images=images)


class _Scaled:
    def __init__(self, blur: float, noise: float) -> None:
        self.blur, self.noise = blur, noise


def _degrade_features(
    prepared: PreparedData,
    table: pd.DataFrame,
    rows: npt.NDArray[np.int64],
    ids: Sequence[str],
    rule: Degradation,
    *,
    purpose: str,
) -> None:
    features = [f for f in prepared.schema.features if table[f].dtype.kind == "f"]
    if rule.blur or not features:
        raise DataError(
            f"{prepared.schema.source}: measurements must be images, or numbers with noise alone, "
            f"to be degraded, got blur {rule.blur:g} and {len(features)} numeric features"
        )
    noise = _normals(ids, (len(features),), purpose=purpose)
    train = (table["split"] == names.TRAIN).to_numpy()
    for column, feature in enumerate(features):
        values = table[feature].to_numpy(copy=True)
        values[rows] += rule.noise * np.nanstd(values[train]) * noise[:, column]
        table[feature] = values


def _thinned(prepared: PreparedData, rates: Rates, *, seed: int, said: list[str]) -> PreparedData:
    stays = np.ones(len(prepared.table), dtype=bool)
    for attribute, group, share in _rules(rates):
        rows = _members(prepared.table, attribute, group)
        ids = _ids(prepared.table, rows)
        chosen = kept(ids, share=share, purpose=f"{seed}/resample/{attribute}/{group}")
        stays[rows[~chosen]] = False
        said.append(
            f"{int(chosen.sum())} of {len(rows)} training samples of {attribute} {group} were kept "
            f"(each with probability {share:g})"
        )
    return replace(
        prepared,
        table=prepared.table[stays].reset_index(drop=True),
        images={size: stack[stays] for size, stack in prepared.images.items()},
    )


def _normals(
    ids: Sequence[str], shape: tuple[int, ...], *, purpose: str
) -> npt.NDArray[np.float64]:
    """Return standard normal numbers, one array of ``shape`` per id, by the id alone."""
    found = np.empty((len(ids), *shape))
    for place, name in enumerate(ids):
        key = int(uniforms(f"{purpose}/{name}", 1)[0] * 2**53)
        found[place] = np.random.default_rng(key).standard_normal(shape)
    return found
