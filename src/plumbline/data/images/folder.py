"""The images of the user's folder, with label, attributes and entity of each.

Either its subfolders are the classes, or a table (CSV) names for each image its path, label,
attributes and the entity it belongs to. Nothing outside of the folder is read: neither by ``..``
nor by an absolute path nor through a link.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from plumbline.data.base import folders
from plumbline.data.images.decode import SUFFIXES
from plumbline.errors import DataError
from plumbline.names import SPLITS
from plumbline.table_files import Dialect, read_frame, read_header

if TYPE_CHECKING:
    from plumbline.params.own_data import FolderImages

UNKNOWN = "unknown"  # the group of an image whose cell in the table is empty
MAX_GROUPS = 50
MAX_CLASSES = 1000


class Listing(NamedTuple):
    """Images of a folder in the order of their paths; the index of both tables is the id.

    Attributes
    ----------
    images : DataFrame
        ``path, label`` and, where they are declared, ``entity`` and ``split`` (``""`` for none).
    groups : DataFrame
        One string column per attribute.
    """

    images: pd.DataFrame
    groups: pd.DataFrame

    def at(self, ids: list[str]) -> Listing:
        """Return the listing of some of the images."""
        return Listing(self.images.loc[ids], self.groups.loc[ids])


def list_folder(folder: Path, parameters: FolderImages) -> Listing:
    """Return the images of a folder.

    Raises
    ------
    DataError
        If there are no classes or images, a link or path leads outside, or the table does not
        fit the folder.
    """
    if not folder.is_dir():
        raise DataError(f"folder: path must be a folder, got none at {folder.as_posix()}")
    listing = _from_table(folder, parameters) if parameters.table else _from_subfolders(folder)
    classes = Counter(listing.images["label"])
    if not 2 <= len(classes) <= MAX_CLASSES:
        raise DataError(
            f"folder: classes must be 2 to {MAX_CLASSES}, got {len(classes)} "
            f"({', '.join(sorted(classes)[:5])})"
        )
    folders.check_spelling(classes, "folder: classes")
    for attribute in listing.groups:
        folders.check_spelling(
            listing.groups[attribute].unique(), f"folder: values of {attribute!r}"
        )
        values = listing.groups[attribute].nunique()
        if values > MAX_GROUPS:
            raise DataError(
                f"folder: attribute {attribute!r} must have at most {MAX_GROUPS} values, got "
                f"{values}; write bands of it into the table"
            )
    return listing


def inside(folder: Path, name: str) -> Path:
    """Return the file of this relative name below a folder.

    Raises
    ------
    DataError
        If it leads outside of the folder, is hidden, or there is no such file.
    """
    parts = PurePosixPath(name)
    if "\0" in name or "\\" in name or parts.is_absolute() or ".." in parts.parts:
        raise DataError(f"folder: image path must stay inside the folder, got {name!r}")
    if folders.is_hidden(Path(parts)):  # not in the digest of the folder
        raise DataError(f"folder: {name!r} must not be hidden; rename it")
    path = folder / parts
    folders.refuse_link(path, folder, where="folder")
    if not path.is_file():
        got = "none; correct the table"
        form = unicodedata.normalize("NFC", path.name)
        if path.parent.is_dir() and any(
            other.name != path.name and unicodedata.normalize("NFC", other.name) == form
            for other in path.parent.iterdir()
        ):
            got = "one whose name is in another Unicode form, which looks the same; rename it"
        raise DataError(f"folder: image {name!r} must exist, got {got}")
    return path


def _from_subfolders(folder: Path) -> Listing:
    found = folders.list_files(folder, SUFFIXES, where="folder")
    for path in found:
        if path.parent == folder:
            raise DataError(
                f"folder: images must lie in a subfolder per class, got {path.name!r} beside them; "
                "move it, or name a table in data_images.folder.table"
            )
    if not found:
        raise DataError(f"folder: {folder.as_posix()} must hold images in subfolders, got none")
    ids = [path.relative_to(folder).as_posix() for path in found]
    labels = [name.partition("/")[0] for name in ids]
    return Listing(
        pd.DataFrame({"path": found, "label": labels}, index=ids), pd.DataFrame(index=ids)
    )


def _from_table(folder: Path, parameters: FolderImages) -> Listing:
    assert parameters.table is not None
    columns = parameters.columns
    wanted = [columns.path, columns.label, *columns.attributes]
    wanted += [name for name in (columns.entity, columns.split) if name]
    table = _read_table(inside(folder, parameters.table), parameters.encoding, wanted)
    for name in (columns.path, columns.label, *([columns.entity] if columns.entity else [])):
        if empty := int((table[name].str.strip() == "").sum()):
            raise DataError(
                f"folder: column {name!r} of {parameters.table} must be filled, got {empty} "
                "empty cells"
            )
    table = table.sort_values(columns.path, kind="stable").reset_index(drop=True)
    ids = [PurePosixPath(name).as_posix() for name in table[columns.path]]
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise DataError(f"folder: image paths must be unique, got {twice[0]!r} more than once")
    table = table.apply(lambda column: column.str.strip()).set_axis(ids, axis="index")
    images = pd.DataFrame({"path": [inside(folder, name) for name in ids]}, index=ids)
    images["label"] = table[columns.label]
    if columns.entity:
        images["entity"] = table[columns.entity]
    if columns.split:
        images["split"] = table[columns.split]
        _check_splits(images["split"])
    return Listing(images, table[list(columns.attributes)].replace("", UNKNOWN))


def _check_splits(column: pd.Series[str]) -> None:
    if wrong := sorted(set(column) - {*SPLITS, ""}):
        raise DataError(
            f"folder: splits must be one of {', '.join(SPLITS)} or empty, got {wrong[0]!r}"
        )


def _read_table(path: Path, encoding: str, wanted: list[str]) -> pd.DataFrame:
    dialect = Dialect(encoding=encoding, missing=())
    header = read_header(path, dialect, where="folder")
    if missing := [name for name in wanted if name not in header]:
        raise DataError(
            f"folder: {path.name} must have the columns {', '.join(wanted)}, got none "
            f"named {', '.join(missing)}; it has {', '.join(header)}"
        )
    table = read_frame(path, dialect, wanted, where="folder")
    if table.empty:
        raise DataError(f"folder: {path.name} must have a row, got none")
    return table.fillna("")
