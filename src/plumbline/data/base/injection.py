"""Injection of a known bias into a training split, to test audits against a known truth.

Three kinds, each by the groups of an attribute: fewer samples (representation), wrong labels
(labels) and worse measurements (measurement; H. Suresh and J. Guttag, "A Framework for
Understanding Sources of Harm throughout the Machine Learning Life Cycle", 2021, section 3). Every
random draw is a function of the seed and the sample's id. The schema records what was injected;
the data audit, the datasheet and the cards repeat it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plumbline import artifacts, names
from plumbline.data.base.draws import uniforms
from plumbline.data.base.prepared import PreparedData
from plumbline.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Pixels = npt.NDArray[np.uint8]
Rates = Mapping[str, Mapping[str, float]]
NO_RULES: Mapping[str, Mapping[str, Any]] = {}
KEY = "injected_bias"  # of ``about`` in the schema: one sentence per rule


def inject(
    prepared: PreparedData,
    *,
    seed: int,
    resample: Rates = NO_RULES,
    label_noise: Rates = NO_RULES,
    degrade: Mapping[str, Mapping[str, Any]] = NO_RULES,
) -> PreparedData:
    """Return the data with the bias in their training split, described in ``about[KEY]``.

    Parameters
    ----------
    prepared : PreparedData
    seed : int
    resample : mapping
        Share of training samples that is kept, by attribute and group.
    label_noise : mapping
        Probability that a training label becomes another one, by attribute and group.
    degrade : mapping
        ``blur`` and ``noise`` of the training samples' measurements, by attribute and group; see
        `params.data.Degradation`.

    Raises
    ------
    DataError
        If an attribute or group does not exist, or the data cannot be changed in this way.
    """
    rules = [*_rules(resample), *_rules(label_noise), *_rules(degrade)]
    if not rules:
        return prepared
    for attribute, group, _ in rules:
        _check_group(prepared, attribute, group)
    facts: list[str] = []
    changed = _with_noisy_labels(prepared, label_noise, seed=seed, facts=facts)
    changed = _with_degraded_measurements(changed, degrade, seed=seed, facts=facts)
    changed = _undersampled(changed, resample, seed=seed, facts=facts)
    about = {**changed.schema.about, KEY: facts}
    return replace(changed, schema=replace(changed.schema, about=about))


def inject_bias(folder: Path, block: Any, *, seed: int) -> dict[str, float]:
    """Inject bias into a prepared folder; return its new counts, none without a rule.

    Parameters
    ----------
    folder : Path
    block : Block
        Parameters of the data set; see `params.data.BiasInjection`.
    seed : int

    Raises
    ------
    DataError
        See `inject`.
    """
    rules = {key: getattr(block, key) for key in ("resample", "label_noise", "degrade")}
    if not any(rules.values()):
        return {}
    table = artifacts.read_split_table(folder)
    sizes = sorted(int(p.stem.removeprefix("images_")) for p in folder.glob("images_*.npy"))
    images = {size: artifacts.read_images(folder, size, rows=len(table)) for size in sizes}
    schema = artifacts.DatasetSchema.read(folder)
    changed = inject(PreparedData(schema, table, images), seed=seed, **rules)
    changed.write(folder)
    return changed.counts()


def sample_ids(ids: Sequence[str], *, share: float, purpose: str) -> npt.NDArray[np.bool_]:
    """Return which samples are drawn with probability ``share``, ``(N,)``, each by its own id."""
    return _uniform_by_id(ids, purpose) < share


def flip_labels(
    labels: npt.NDArray[np.int64], ids: Sequence[str], *, classes: int, purpose: str
) -> npt.NDArray[np.int64]:
    """Return another label for each sample, every other class equally likely, ``(N,)``."""
    steps = 1 + np.floor(_uniform_by_id(ids, purpose) * (classes - 1)).astype(np.int64)
    return (labels + steps) % classes


def degrade_images(
    images: Pixels, ids: Sequence[str], *, blur: float, noise: float, purpose: str
) -> Pixels:
    """Return blurred and noisy images, ``(N, C, H, W)``.

    ``blur`` is the standard deviation of a Gaussian in pixels of these images, ``noise`` that of
    added grey levels.
    """
    from scipy.ndimage import gaussian_filter

    worse = images.astype(np.float64)
    if blur:
        worse = gaussian_filter(worse, sigma=(0, 0, blur, blur), mode="nearest")
    if noise:
        worse += noise * _normals(ids, images.shape[1:], purpose=purpose)
    return np.rint(np.clip(worse, 0, 255)).astype(np.uint8)


def _uniform_by_id(ids: Sequence[str], purpose: str) -> npt.NDArray[np.float64]:
    return np.array([uniforms(f"{purpose}/{name}", 1)[0] for name in ids], dtype=np.float64)


def _rules(by_attribute: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, Any]]:
    for attribute, by_group in by_attribute.items():
        for group, rule in by_group.items():
            yield attribute, group, rule


def _check_group(prepared: PreparedData, attribute: str, group: str) -> None:
    schema = prepared.schema
    if attribute not in schema.attributes:
        raise DataError(
            f"{schema.source}: attribute of an injected bias must be one of "
            f"{', '.join(schema.attributes)}, got {attribute!r}"
        )
    if group not in set(prepared.table[attribute]):
        known = ", ".join(sorted(set(prepared.table[attribute])))
        raise DataError(
            f"{schema.source}: a group of {attribute} must be one of {known}, got {group!r}"
        )


def _members(
    table: pd.DataFrame, attribute: str, group: str
) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return the places and ids of a group's training samples."""
    found = (table["split"] == names.TRAIN) & (table[attribute] == group)
    rows = np.flatnonzero(found.to_numpy())
    return rows, [str(name) for name in table["sample_id"].iloc[rows]]


def _with_noisy_labels(
    prepared: PreparedData, rates: Rates, *, seed: int, facts: list[str]
) -> PreparedData:
    classes = len(prepared.schema.classes)
    if rates and classes < 2:
        raise DataError(
            f"{prepared.schema.source}: label_noise must be injected into data with classes, got "
            "none"
        )
    table = prepared.table.copy()
    for attribute, group, rate in _rules(rates):
        rows, ids = _members(table, attribute, group)
        purpose = f"{seed}/labels/{attribute}/{group}"
        chosen = sample_ids(ids, share=rate, purpose=purpose)
        hit, hit_ids = rows[chosen], [name for name, c in zip(ids, chosen, strict=True) if c]
        y = table["y"].to_numpy(dtype=np.int64, copy=True)
        y[hit] = flip_labels(y[hit], hit_ids, classes=classes, purpose=f"{purpose}/class")
        table["y"] = y
        facts.append(
            f"{len(hit)} of {len(rows)} training labels of {attribute} {group} were changed to "
            f"another class (each with probability {rate:g})"
        )
    return replace(prepared, table=table)


def _with_degraded_measurements(
    prepared: PreparedData,
    rules: Mapping[str, Mapping[str, Any]],
    *,
    seed: int,
    facts: list[str],
) -> PreparedData:
    images = {size: stack.copy() for size, stack in prepared.images.items()}
    table = prepared.table.copy()
    for attribute, group, rule in _rules(rules):
        rows, ids = _members(table, attribute, group)
        purpose = f"{seed}/degrade/{attribute}/{group}"
        if images:
            for size, stack in images.items():
                stack[rows] = degrade_images(
                    stack[rows],
                    ids,
                    blur=rule.blur * size / min(images),
                    noise=rule.noise,
                    purpose=f"{purpose}/{size}",
                )
            how = (
                f"blurred by {rule.blur:g} pixels of {min(images)} and given noise of "
                f"{rule.noise:g} grey levels"
            )
        else:
            _degrade_features(prepared, table, rows, ids, rule, purpose=purpose)
            how = f"given noise of {rule.noise:g} standard deviations in every feature"
        facts.append(f"{len(rows)} training samples of {attribute} {group} were {how}")
    return replace(prepared, table=table, images=images)


def _degrade_features(
    prepared: PreparedData,
    table: pd.DataFrame,
    rows: npt.NDArray[np.int64],
    ids: Sequence[str],
    rule: Any,
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


def _undersampled(
    prepared: PreparedData, shares: Rates, *, seed: int, facts: list[str]
) -> PreparedData:
    kept = np.ones(len(prepared.table), dtype=bool)
    for attribute, group, share in _rules(shares):
        rows, ids = _members(prepared.table, attribute, group)
        chosen = sample_ids(ids, share=share, purpose=f"{seed}/resample/{attribute}/{group}")
        kept[rows[~chosen]] = False
        facts.append(
            f"{int(chosen.sum())} of {len(rows)} training samples of {attribute} {group} were kept "
            f"(each with probability {share:g})"
        )
    return replace(
        prepared,
        table=prepared.table[kept].reset_index(drop=True),
        images={size: stack[kept] for size, stack in prepared.images.items()},
    )


def _normals(
    ids: Sequence[str], shape: tuple[int, ...], *, purpose: str
) -> npt.NDArray[np.float64]:
    """Return standard normal numbers, one array of ``shape`` per id, by the id alone."""
    found = np.empty((len(ids), *shape))
    for place, number in enumerate(_uniform_by_id(ids, purpose)):
        found[place] = np.random.default_rng(int(number * 2**53)).standard_normal(shape)
    return found
