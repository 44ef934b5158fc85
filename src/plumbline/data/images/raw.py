"""Images of a source before they are split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plumbline.data.images.encoding import MAX_PIXELS, ImageEncoding

if TYPE_CHECKING:
    import pandas as pd


SQUARE = ImageEncoding("grey", None, MAX_PIXELS, counts=False)


@dataclass(frozen=True)
class RawImages:
    """Images of a source before splitting.

    Attributes
    ----------
    ids : list of str
        Unique.
    codes : int array (N,)
        Class of each image.
    classes : tuple of str
    images : mapping of int to array
        Size to uint8 ``(N, C, size, size)``.
    groups : DataFrame
        One string column per attribute that is known of each image.
    measures : tuple of str
        Keys of `pixels.moments.MEASURES` that become attributes: thirds of the training split.
    about : dict
        Facts for the schema; its ``attributes`` describe the columns of ``groups``.
    entities : list of str, optional
        Entity of each image, e.g. a person: never in two splits.
    official : object array (N,), optional
        The source's own split of each image, ``""`` where it has none.
    encoding : ImageEncoding
        How a picture becomes these pixels; by default it is square and grey.
    """

    ids: list[str]
    codes: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    images: Mapping[int, npt.NDArray[np.uint8]]
    groups: pd.DataFrame
    measures: tuple[str, ...]
    about: dict[str, Any]
    entities: list[str] | None = None
    official: npt.NDArray[np.object_] | None = None
    encoding: ImageEncoding = SQUARE
