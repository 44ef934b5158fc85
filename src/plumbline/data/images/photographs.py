"""Sources of photographs as files: CelebA, and the user's folder."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from plumbline import names
from plumbline.data.base.entities import PSEUDONYM
from plumbline.data.base.sources import SOURCES, located, raw_folder
from plumbline.data.images import formats
from plumbline.data.images.decode import Shape
from plumbline.data.images.encoding import MAX_PIXELS, ImageEncoding
from plumbline.data.images.folder import list_folder
from plumbline.data.images.raw import RawImages
from plumbline.data.images.stacks import BOUNDS, BY_ID, NAMED, choose, refuse_broken, stack_all
from plumbline.errors import DataError

if TYPE_CHECKING:
    from plumbline.params.data import ImageData


def celeba(parameters: ImageData, root: Path) -> RawImages:
    """Return CelebA's faces with one attribute as the label and others as groups.

    Raises
    ------
    DataError
        If an attribute does not exist, or a list or picture is unfit.
    """
    folder, chosen = raw_folder("celeba", root), parameters.celeba
    assert chosen is not None  # the parameters were checked
    table = formats.read_celeba_attributes(folder / "list_attr_celeba.txt")
    lists = {
        name: formats.read_celeba_pairs(folder / file).reindex(table.index)
        for name, file in (
            ("split", "list_eval_partition.txt"), ("entity", "identity_CelebA.txt"),
        )
    }  # fmt: skip
    for name in (chosen.target, *chosen.attributes):
        if name not in table:
            raise DataError(
                f"celeba: attribute must be one of {', '.join(table.columns)}, got {name!r}"
            )
    for name, values in lists.items():
        if missing := int(values.isna().sum()):
            raise DataError(f"celeba: {name} must be known of every image, got {missing} without")
    ids = choose(list(table.index), parameters)
    table = table.loc[ids]
    shape = Shape(parameters.sizes, mode="rgb", fit="crop", max_pixels=MAX_PIXELS)
    with zipfile.ZipFile(folder / "img_align_celeba.zip") as archive:
        pictures = (archive.read(f"img_align_celeba/{name}") for name in ids)
        stacks, broken = stack_all(pictures, ids, shape, workers=parameters.workers)
    refuse_broken("celeba", broken, len(ids))
    split = lists["split"].loc[ids].map({0: names.TRAIN, 1: names.VAL, 2: names.TEST})
    groups = pd.DataFrame(
        {name: np.where(table[name] == 1, "yes", "no") for name in chosen.attributes}
    )
    about = SOURCES["celeba"].about(target=chosen.target)
    return RawImages(
        ids=ids,
        codes=np.asarray(table[chosen.target] == 1, dtype=np.int64),
        classes=(f"not {chosen.target}", chosen.target),
        images=stacks,
        groups=groups,
        measures=("brightness",),
        entities=[str(int(number)) for number in lists["entity"].loc[ids]],
        official=split.to_numpy(dtype=object),
        about={
            **about,
            "split": about["split"] + BOUNDS,
            "entity": f"the person, by the source's list of identities, {PSEUDONYM}",
            "attributes": {n: f"As annotators saw it: {n}." for n in chosen.attributes},
        },
        encoding=ImageEncoding(shape.mode, shape.fit, shape.max_pixels, counts=False),
    )


def folder(parameters: ImageData, root: Path) -> RawImages:
    """Return the images of the user's folder.

    Raises
    ------
    DataError
        If the folder or its table is unfit, or pictures are broken and not to be skipped.
    """
    own = parameters.folder
    assert own is not None  # the parameters were checked
    listing = list_folder(located(own.path, root), own)
    listing = listing.at(choose(list(listing.images.index), parameters))
    ids, paths = list(listing.images.index), list(listing.images["path"])
    shape = Shape(parameters.sizes, mode=own.mode, fit=own.fit, max_pixels=own.max_pixels)
    stacks, broken = stack_all(paths, ids, shape, workers=parameters.workers)
    if own.broken == "refuse":
        refuse_broken("folder", broken, len(ids))
    images, groups = listing.at([name for name in ids if name not in broken])
    classes = tuple(sorted(set(listing.images["label"])))
    if lost := sorted(set(classes) - set(images["label"])):
        raise DataError(
            f"folder: every class must have an image that can be read, got none of {lost[0]!r}; "
            "correct them, or leave the class out"
        )
    place = {name: code for code, name in enumerate(classes)}
    about: dict[str, Any] = {
        **own.about.model_dump(),
        "split": BY_ID + (BOUNDS if own.measured else ""),
        "attributes": dict.fromkeys(map(str, groups), "From the owner's table."),
    }
    if "entity" in images:
        about["entity"] = f"column {own.columns.entity} of {own.table}, {PSEUDONYM}"
        about["split"] = f"by SHA-256 of {own.columns.entity}, which is never in two splits"
    if "split" in images:
        about["split"] = f"column {own.columns.split} of {own.table}; where it is empty, " + BY_ID
    if broken:
        about["broken_images"] = len(broken)
        about["broken_image_names"] = [f"{n}: {why}" for n, why in list(broken.items())[:NAMED]]
    return RawImages(
        ids=list(images.index),
        codes=np.array([place[label] for label in images["label"]], dtype=np.int64),
        classes=classes,
        images=stacks,
        groups=groups,
        measures=tuple(own.measured),
        about=about,
        entities=list(images["entity"]) if "entity" in images else None,
        official=images["split"].to_numpy(dtype=object) if "split" in images else None,
        encoding=ImageEncoding(own.mode, own.fit, own.max_pixels, counts=False),
    )
