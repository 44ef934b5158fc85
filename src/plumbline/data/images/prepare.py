"""Preparation of images: several sizes, splits, few labels, and measured groups."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.artifacts import DatasetSchema
from plumbline.data.base.attributes import check_names
from plumbline.data.base.entities import divided_rows, entity_numbers, pseudonyms
from plumbline.data.base.prepared import PreparedData
from plumbline.data.base.splits import assign_splits, choose_labelled
from plumbline.data.images.raw import RawImages
from plumbline.data.images.sources import LOADERS
from plumbline.data.pixels.moments import MEASURES, measure_styles, style_thresholds
from plumbline.errors import DataError
from plumbline.params.data import ImageData


def prepare(parameters: ImageData, *, seed: int, root: Path = Path()) -> PreparedData:
    """Prepare the images that the parameters name.

    Parameters
    ----------
    parameters : ImageData
    seed : int
        Unused: splits are a function of the sample ids alone.
    root : Path
        Root of the repository: raw files and the user's files are below it.

    Returns
    -------
    PreparedData
        ``about["thresholds"][size]`` holds the bounds of `measure_styles` for each size; measured
        groups in the table are those at the first size, ``about["measured_at"]``. Where a class has
        fewer training images than ``labels_per_class``, ``about["short_of_labels"]`` holds their
        number by the name of the class; fine-tuning refuses such data.

    Raises
    ------
    DataError
        If a raw file is unfit, or a class is missing from a split.
    """
    return images_from_raw(LOADERS[parameters.source](parameters, root), parameters=parameters)


def images_from_raw(raw: RawImages, *, parameters: ImageData) -> PreparedData:
    """Split raw images, measure their groups and choose few labels; see `prepare`."""
    import pandas as pd

    if not raw.measures:
        raise DataError(
            f"{parameters.source}: images must have a measure, by which a generator of them can be "
            f"audited, got none; name one of {', '.join(MEASURES)}"
        )
    check_names(map(str, raw.groups), raw.classes, where=parameters.source)
    splits = _splits(raw, parameters)
    labelled = choose_labelled(
        raw.ids,
        classes=raw.codes.tolist(),
        splits=list(splits),
        per_class=parameters.labels_per_class,
        salt=f"{parameters.source}/labelled",
    )
    short = _short_of_labels(raw, splits, parameters.labels_per_class)
    grey = {size: _grey(stack) for size, stack in raw.images.items()}
    train, first = splits == names.TRAIN, parameters.sizes[0]
    thresholds = {
        str(size): style_thresholds(stack[train], raw.measures) for size, stack in grey.items()
    }
    measured = measure_styles(grey[first], thresholds[str(first)])
    table = pd.DataFrame({"sample_id": raw.ids, "split": splits, "y": raw.codes})
    table = table.assign(labelled=labelled)
    if raw.entities is not None:
        table[names.ENTITY] = pseudonyms(entity_numbers(raw.entities))
    table = pd.concat([table, raw.groups.reset_index(drop=True), measured], axis=1)
    notes = {name: NOTES[name].format(size=first) for name in map(str, measured)}
    schema = DatasetSchema(
        dataset=names.IMAGES,
        source=parameters.source,
        task="binary" if len(raw.classes) == 2 else "multiclass",
        classes=raw.classes,
        attributes=(*map(str, raw.groups.columns), *map(str, measured.columns)),
        about={
            **raw.about,
            "attributes": {**raw.about.get("attributes", {}), **notes},
            "thresholds": thresholds,
            "measured_at": first,
            "labels_per_class": parameters.labels_per_class,
            **({"short_of_labels": short} if short else {}),
        },
    )
    encoding = asdict(raw.encoding)
    return PreparedData(schema=schema, table=table, images=raw.images, encoding=encoding)


def _splits(raw: RawImages, parameters: ImageData) -> npt.NDArray[np.object_]:
    """Return the split of each image; official test and validation splits are kept."""
    splits = np.full(len(raw.ids), "", dtype=object) if raw.official is None else raw.official
    rest = np.flatnonzero(splits == "")
    official = set(splits)
    found = splits.copy()
    found[rest] = assign_splits(
        [raw.ids[i] for i in rest],
        strata=raw.codes[rest].tolist(),
        val_fraction=0.0 if names.VAL in official else parameters.val_fraction,
        test_fraction=0.0 if names.TEST in official else parameters.test_fraction,
        salt=parameters.source,
        entities=None if raw.entities is None else [raw.entities[i] for i in rest],
    )
    if raw.entities is not None and len(wrong := divided_rows(raw.entities, found)):
        shown = ", ".join(raw.ids[i] for i in wrong[:5])
        raise DataError(
            f"{parameters.source}: an entity must be in one split only, got {len(wrong)} images of "
            f"entities in two: {shown}{', …' if len(wrong) > 5 else ''}; correct the split of the "
            "source"
        )
    return found


def _short_of_labels(
    raw: RawImages, splits: npt.NDArray[np.object_], wanted: int
) -> dict[str, int]:
    """Return the training images of each class that has fewer than ``wanted``."""
    counts = np.bincount(raw.codes[splits == names.TRAIN], minlength=len(raw.classes))
    return {
        name: int(count) for name, count in zip(raw.classes, counts, strict=True) if count < wanted
    }


def _grey(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    if images.shape[1] == 1:
        return images[:, 0]
    # As the generator's images are read: the mean of the channels.
    grey: npt.NDArray[np.uint8] = images.mean(axis=1).round().astype(np.uint8)
    return grey


def _thirds(measure: str) -> str:
    return ", ".join(MEASURES[measure][1])


NOTES = {
    "thickness": (
        "Mean stroke width of the {size}×{size} image, twice the ink's area over the length "
        f"of its outline; {_thirds('thickness')} are the thirds of the training split."
    ),
    "slant": (
        "Slope of the ink from the second moments of the {size}×{size} image (-mu11/mu02, "
        f"positive to the right); {_thirds('slant')} are the thirds of the training "
        "split, so that upright means the middle third. The slope also holds the digit's own "
        "shape: nearly every 6 is in the left group and nearly every 7 in the right one, so a "
        "gap between slants is partly a gap between digits."
    ),
    "brightness": (
        f"Mean grey level of the {{size}}×{{size}} image; {_thirds('brightness')} are the thirds "
        "of the training split. It says how a picture looks, nothing about what or who is in it."
    ),
}
