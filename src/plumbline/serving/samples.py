"""Samples of restored models: pictures of a generator, texts of a language model."""

from __future__ import annotations

import math
import re
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from plumbline import artifacts, names
from plumbline.artifacts import ModelConfig
from plumbline.errors import DataError
from plumbline.serving.interface import find_prepared

if TYPE_CHECKING:
    from plumbline.models.language import LanguageNetwork, State

SHEET = "contact_sheet.png"
PER_CLASS = 4  # pictures of each class where their number is not given
_TILE, _GAP, _WHITE = 64, 2, 255  # of the contact sheet: least width of a picture, pixels between

Images = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Pictures:
    """Generated pictures.

    Attributes
    ----------
    images : array of uint8, (N, C, S, S)
    classes : tuple of str, (N,)
        The class that each picture was requested of.
    """

    images: Images
    classes: tuple[str, ...]


@dataclass(frozen=True)
class TextOptions:
    """How texts are sampled.

    Attributes
    ----------
    prompt : str
        Beginning of each text; may be empty.
    length : int
        Characters after the prompt, at least 1.
    temperature : float
        Above 0; see `plumbline.inference.sampling.next_code`.
    top_k : int
        Characters among which each one is drawn, the likeliest; 0: among all.
    """

    prompt: str
    length: int
    temperature: float
    top_k: int


def draw_pictures(
    model_folder: Path, *, classes: Sequence[str], number: int | None, seed: int
) -> Pictures:
    """Generate pictures of requested classes.

    Parameters
    ----------
    model_folder : Path
    classes : sequence of str
        Classes in turn; all classes of the generator if there is none.
    number : int, optional
        Number of pictures; by default `PER_CLASS` of each class.
    seed : int
        Of the latent numbers, at least 0. Picture ``i`` depends on its class and the seed alone.

    Raises
    ------
    ArtifactError
        If the folder holds no generator.
    DataError
        If there is no such class.
    """
    from plumbline.serving.generator import GeneratorPredictor

    predictor = GeneratorPredictor.restore(model_folder, find_prepared(model_folder))
    known = list(classes) or list(predictor.config.classes)
    count = PER_CLASS * len(known) if number is None else number
    wanted = [known[place % len(known)] for place in range(count)]
    return Pictures(predictor.images(wanted, seed=seed), tuple(wanted))


def write_pictures(pictures: Pictures, out: Path) -> None:
    """Write a PNG file for each picture, named by number and class, and a contact sheet.

    Parameters
    ----------
    pictures : Pictures
    out : Path
        A folder that is empty or does not exist; it is written whole or not at all.

    Raises
    ------
    DataError
        If it has files, or cannot be made where it is.
    """
    if not out.parent.is_dir() or (out.exists() and not (out.is_dir() and _is_empty(out))):
        raise DataError(
            f"generate: out must be an empty or new folder in one that exists, got "
            f"{out.as_posix()}; choose another"
        )
    from PIL import Image

    temporary = out.parent / f".{out.name[-100:]}.{secrets.token_hex(4)}"
    temporary.mkdir()
    try:
        for place, (image, name) in enumerate(zip(pictures.images, pictures.classes, strict=True)):
            Image.fromarray(_shown(image)).save(temporary / f"{place:05d}_{_safe(name)}.png")
        Image.fromarray(_shown(contact_sheet(pictures))).save(temporary / SHEET)
        temporary.replace(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def contact_sheet(pictures: Pictures) -> Images:
    """Return all pictures beside each other, ``(C, H, W)``: a column for each of several classes.

    Small pictures are enlarged by a whole factor; white separates them.
    """
    count, channels, size, _ = pictures.images.shape
    distinct = len(set(pictures.classes))
    across = distinct if distinct > 1 else math.ceil(math.sqrt(count))
    scale = max(1, _TILE // size)
    step = size * scale + _GAP
    sheet = np.full(
        (channels, math.ceil(count / across) * step + _GAP, across * step + _GAP), _WHITE, np.uint8
    )
    for place, image in enumerate(pictures.images):
        top, left = (_GAP + step * index for index in divmod(place, across))
        large = image.repeat(scale, axis=1).repeat(scale, axis=2)
        sheet[:, top : top + step - _GAP, left : left + step - _GAP] = large
    return sheet


def draw_texts(
    model_folder: Path, options: TextOptions, *, number: int, seed: int
) -> list[dict[str, Any]]:
    """Sample texts from a language network.

    Parameters
    ----------
    model_folder : Path
    options : TextOptions
    number : int
        Number of texts.
    seed : int
        Text ``i`` is drawn with the seed ``seed + i``, whatever their number.

    Returns
    -------
    list of dict
        ``prompt, temperature, top_k, seed, text`` of each; ``text`` begins with the prompt.

    Raises
    ------
    ArtifactError
        If the folder holds no language network, or one of another vocabulary.
    DataError
        If the temperature is not above 0, or the prompt has a character that the network does not
        know.
    """
    from plumbline.inference.language import restore_language_model

    if not (options.temperature > 0 and math.isfinite(options.temperature)):
        raise DataError(
            f"generate: temperature must be > 0 and finite, got {options.temperature:g}; 1 samples "
            "from the model as it is"
        )
    network, config, vocabulary = restore_language_model(model_folder, find_prepared(model_folder))
    if unknown := sorted(set(options.prompt) - set(vocabulary[1:])):
        raise DataError(
            f"{config.model}: prompt must hold characters of the vocabulary, got "
            f"{', '.join(map(repr, unknown))}; leave them out"
        )
    return [
        {
            "prompt": options.prompt,
            "temperature": options.temperature,
            "top_k": options.top_k,
            "seed": seed + place,
            "text": _text(network, vocabulary, options, seed=seed + place),
        }
        for place in range(number)
    ]


def check_kind(model_folder: Path) -> str:
    """Return `names.GENERATOR` or `names.LANGUAGE`.

    Raises
    ------
    DataError
        If the model gives no samples.
    """
    config = ModelConfig.read(model_folder)
    if config.kind not in (names.GENERATOR, names.LANGUAGE) or config.architecture == "ngram":
        raise DataError(
            f"generate: model must be a generator or a language network, got {config.model!r}, "
            f"which is {config.architecture} for {config.kind}; plumbline predict uses it"
        )
    return config.kind


def check_text_file(out: Path, *, number: int) -> None:
    """Check that texts can be written to a file.

    Raises
    ------
    DataError
        If it is neither .json nor, for one text, .txt, or its folder does not exist.
    """
    kinds = (".txt", ".json") if number == 1 else (".json",)
    if out.suffix not in kinds or out.is_dir() or not out.parent.is_dir():
        raise DataError(
            f"generate: out must be a {' or '.join(kinds)} file for {number} "
            f"text{'' if number == 1 else 's'} in a folder that exists, got {out.as_posix()}; "
            "choose another"
        )


class _Reader(Protocol):
    def read(self, code: int) -> npt.NDArray[np.float32]:
        """Read one more character and return the logits ``(V,)`` of the next one."""


class _Forward:
    """Any language network, one character at a time."""

    def __init__(self, network: LanguageNetwork) -> None:
        self._network = network
        self._state: State | None = None

    def read(self, code: int) -> npt.NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            logits, self._state = self._network(torch.tensor([[code]]), self._state)
        found: npt.NDArray[np.float32] = logits[0, 0].float().numpy()
        return found


def _text(
    network: LanguageNetwork, vocabulary: Sequence[str], options: TextOptions, *, seed: int
) -> str:
    import torch

    from plumbline.inference.sampling import next_code
    from plumbline.inference.stepping import Stepper
    from plumbline.models.rnn import CharRNN

    generator = torch.Generator().manual_seed(seed)
    reader: _Reader = Stepper(network) if isinstance(network, CharRNN) else _Forward(network)
    for code in (network.begin, *artifacts.encode_text(options.prompt, vocabulary)):
        logits = reader.read(int(code))
    drawn: list[int] = []
    for _ in range(options.length):
        chosen = next_code(
            torch.from_numpy(logits),
            temperature=options.temperature,
            top_k=options.top_k,
            generator=generator,
        )
        drawn.append(int(chosen))
        logits = reader.read(drawn[-1])
    return options.prompt + artifacts.decode_text(drawn, vocabulary)


def _shown(image: Images) -> Images:
    """Return ``(C, H, W)`` as ``(H, W)`` or ``(H, W, C)``."""
    return image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))


def _is_empty(folder: Path) -> bool:
    return next(folder.iterdir(), None) is None


def _safe(name: str) -> str:
    """Return what of a class's name every file system takes."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40] or "class"
