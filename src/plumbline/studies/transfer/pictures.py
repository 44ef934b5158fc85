"""Load the pictures of the laboratory: from installed packages, or from a folder of larger data."""

from __future__ import annotations

import functools
import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from plumbline.data.glyphs import fonts, prepare
from plumbline.data.images import decode, formats
from plumbline.data.pixels import moments, resize
from plumbline.errors import ParamsError
from plumbline.table_files import Dialect, read_frame

Pixels = npt.NDArray[np.uint8]
Codes = npt.NDArray[np.int64]
Groups = dict[str, npt.NDArray[np.str_]]

# Letters of other alphabets, none of which looks like one of `prepare.CHARACTERS`.
NEW_CHARACTERS = "βγδεζθλξπσφψωΓΔΘΛΞΣΦΨΩБДЖИЛЦЧШЭЮЯԲԳԴԶԷԸԺԻԽԾԿՁՂՃՄ"
_DRAWN = {"glyphs": (prepare.CHARACTERS, 120), "new_characters": (NEW_CHARACTERS, 20)}
_CHARACTER_SIZE, _PHOTOGRAPH_SIZE = 32, 112
_PHOTOGRAPH_PIXELS = 2**26


@dataclass(frozen=True)
class Pictures:
    """Pictures of one data set.

    Attributes
    ----------
    images : array of uint8
        ``(N, C, H, W)``.
    targets : array of int
        ``(N,)``: class codes 0…K-1.
    classes : tuple of str
        ``K``.
    groups : dict of str to array of str
        By attribute ``(N,)``; may be empty.
    entities : array of int
        ``(N,)``: pictures of one entity (a person) must not be divided between training and test.
    held : array of bool
        ``(N,)``: the source's own test pictures.
    """

    images: Pixels
    targets: Codes
    classes: tuple[str, ...]
    groups: Groups = field(default_factory=dict)
    entities: Codes | None = None
    held: npt.NDArray[np.bool_] | None = None

    def split(self, share: float, *, seed: int) -> tuple[Codes, Codes]:
        """Return the rows for training and for the test, the latter with a share of each class.

        With entities the share is of these; the source's own test pictures stay its test pictures.
        """
        if self.held is not None:
            return np.flatnonzero(~self.held), np.flatnonzero(self.held)
        rng = np.random.default_rng([seed, 1])
        of = self.targets if self.entities is None else np.zeros_like(self.targets)
        names = np.arange(len(of)) if self.entities is None else self.entities
        held: list[int] = []
        for code in np.unique(of):
            here = rng.permutation(np.unique(names[of == code]))
            held += here[: max(1, round(share * len(here)))].tolist()
        is_test = np.isin(names, held)
        return np.flatnonzero(~is_test), np.flatnonzero(is_test)

    def draw(self, most: int, *, seed: int) -> Pictures:
        """Return at most so many pictures, drawn by chance, in their order."""
        drawn = np.random.default_rng([seed, 2]).permutation(len(self.targets))[:most]
        return self.at(np.sort(drawn))

    def at(self, rows: Codes) -> Pictures:
        """Return the pictures of these rows."""
        return Pictures(
            self.images[rows], self.targets[rows], self.classes,
            {name: values[rows] for name, values in self.groups.items()},
            None if self.entities is None else self.entities[rows],
            None if self.held is None else self.held[rows],
        )  # fmt: skip


def load(name: str, folder: str | Path | None = None, *, seed: int, size: int | None = None
         ) -> Pictures:  # fmt: skip
    """Return the pictures of a data set, always in the same order.

    Parameters
    ----------
    name : {'digits', 'glyphs', 'new_characters', 'mnist', 'omniglot', 'clothing', 'faces'}
        The first three are in installed packages. Glyphs are printed letters and digits, new
        characters printed letters of other alphabets: both look like the scanned digits, with light
        ink. Clothing and faces are RGB.
    folder : path, optional
        Of the other four.
    seed : int
        Of the distortions of printed characters; the others do not depend on it.
    size : int, optional
        Height and width; by default 32 for characters and 112 for photographs.

    Raises
    ------
    ParamsError
        If there is no such data set, or it needs a folder and has none.
    """
    if name not in _READERS:
        raise ParamsError(f"pictures: name must be one of {', '.join(_READERS)}, got {name!r}")
    reader, own_size = _READERS[name]
    if name in ("digits", *_DRAWN):
        return reader(size or own_size, seed)
    if folder is None or not Path(folder).is_dir():
        raise ParamsError(
            f"pictures: folder of {name} must exist, got {str(folder)!r}; name the folder "
            "that holds its files"
        )
    return reader(size or own_size, Path(folder))


def _digits(size: int, seed: int) -> Pictures:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = resize.enlarge(bunch.images, size=size)
    return Pictures(
        images[:, None], bunch.target.astype(np.int64), tuple("0123456789"), _styles(images)
    )


def _drawn(size: int, seed: int, *, characters: str, per_class: int) -> Pictures:
    masters = _masters(characters)
    chosen = prepare.choose_masters(masters, per_class=per_class)
    drawn = [masters[number] for number, _ in chosen]
    ids = [f"{m.character}-{m.font.file}-{k}" for m, (_, k) in zip(drawn, chosen, strict=True)]
    bitmaps = prepare.draw_bitmaps(drawn, ids, seed=seed)
    images = resize.enlarge(prepare.count_blocks(bitmaps), size=size)
    codes = np.array([characters.index(m.character) for m in drawn], dtype=np.int64)
    styles = {
        "typeface": np.array([m.font.typeface for m in drawn]),
        "weight": np.array([m.font.weight for m in drawn]),
    }
    return Pictures(images[:, None], codes, tuple(characters), styles)


@functools.cache
def _masters(characters: str) -> list[fonts.Master]:
    return fonts.load_masters(characters, folder=fonts.font_folder())


def _mnist(size: int, folder: Path) -> Pictures:
    stem = folder / "t10k"
    images, codes = formats.read_idx_pair(
        Path(f"{stem}-images-idx3-ubyte.gz"), Path(f"{stem}-labels-idx1-ubyte.gz"), classes=10
    )
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    scaled = padded if size == padded.shape[1] else _resampled(padded, size)
    return Pictures(scaled[:, None], codes, tuple("0123456789"), _styles(scaled))


def _omniglot(size: int, folder: Path) -> Pictures:
    """Read the handwritten characters, as light ink, and the alphabet of each."""
    from PIL import Image, ImageOps

    (archive,) = sorted(folder.glob("images_background*.zip"))[:1] or [folder / "none.zip"]
    with zipfile.ZipFile(archive) as files:
        names = sorted(name for name in files.namelist() if name.endswith(".png"))
        pictures = [Image.open(io.BytesIO(files.read(name))).convert("L") for name in names]
    images = np.concatenate([decode.resized(ImageOps.invert(each), size) for each in pictures])
    places = [name.split("/") for name in names]
    classes = tuple(sorted({"/".join(place[1:3]) for place in places}))
    codes = [classes.index("/".join(place[1:3])) for place in places]
    alphabets = {"alphabet": np.array([place[1] for place in places])}
    return Pictures(images[:, None], np.array(codes, dtype=np.int64), classes, alphabets)


def _clothing(size: int, folder: Path) -> Pictures:
    paths = sorted(folder.glob("short112/*/*/*.jpg"))
    classes = tuple(sorted({path.parent.name for path in paths}))
    codes = np.array([classes.index(path.parent.name) for path in paths], dtype=np.int64)
    held = np.array([path.parts[-3] == "validation" for path in paths])
    return Pictures(_photographs(paths, size), codes, classes, held=held)


def _faces(size: int, folder: Path) -> Pictures:
    wanted = ["path", "person", "smiling", "gender", "ethnicity"]
    table = read_frame(folder / "attributes.csv", Dialect(missing=()), wanted, where="faces")
    groups = {name: table[name].to_numpy(dtype=str) for name in ("gender", "ethnicity")}
    images = _photographs([folder / path for path in table["path"]], size)
    codes, people = (table[name].to_numpy().astype(np.int64) for name in ("smiling", "person"))
    return Pictures(images, codes, ("neutral", "smiling"), groups, people)


def _photographs(paths: Sequence[Path], size: int) -> Pixels:
    shape = decode.Shape((size,), mode="rgb", fit="crop", max_pixels=_PHOTOGRAPH_PIXELS)
    return np.stack([decode.decode(path.read_bytes(), shape)[size] for path in paths])


def _resampled(images: Pixels, size: int) -> Pixels:
    return np.rint(np.clip(resize.resize(images, size), 0, 255)).astype(np.uint8)


def _styles(images: Pixels) -> Groups:
    found = moments.measure_styles(images, moments.style_thresholds(images))
    return {str(name): found[name].to_numpy(dtype=str) for name in found}


_READERS: dict[str, tuple[Callable[..., Pictures], int]] = {
    "digits": (_digits, _CHARACTER_SIZE),
    **{
        name: (functools.partial(_drawn, characters=characters, per_class=count), _CHARACTER_SIZE)
        for name, (characters, count) in _DRAWN.items()
    },
    "mnist": (_mnist, _CHARACTER_SIZE),
    "omniglot": (_omniglot, _CHARACTER_SIZE),
    "clothing": (_clothing, _PHOTOGRAPH_SIZE),
    "faces": (_faces, _PHOTOGRAPH_SIZE),
}
