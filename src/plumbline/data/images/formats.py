"""File formats of the named image sources: IDX, CIFAR's binary records, CelebA's lists.

Sizes in headers are checked against the number of bytes; nothing is unpickled.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline.errors import DataError

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

_RECORD = 1 + 3 * 32 * 32  # a label, then the red, green and blue planes
_LIMIT = 2**30  # bytes of an unpacked IDX file


def read_idx(path: Path) -> Pixels:
    """Return the array of an IDX file of unsigned bytes, gzipped or not.

    Y. LeCun, C. Cortes and C. Burges, "The MNIST database", http://yann.lecun.com/exdb/mnist:
    two zero bytes, the type (8: unsigned byte), the number of axes, a big-endian 32-bit size per
    axis, then the values.

    Raises
    ------
    DataError
        If the header is wrong, or the number of bytes is not that of the header.
    """
    data = _unpacked(path)
    if len(data) < 4 or data[:3] != b"\x00\x00\x08" or not 1 <= data[3] <= 4:
        raise DataError(
            f"{path.name}: file must begin as IDX of unsigned bytes, got {data[:4].hex() or 'none'}"
        )
    head = 4 + 4 * data[3]
    shape = tuple(int(n) for n in np.frombuffer(data[4:head], dtype=">u4"))
    count = 1
    for size in shape:
        count *= size
    if len(shape) != data[3] or len(data) - head != count:
        raise DataError(
            f"{path.name}: values must be {count} as the header says, got {len(data) - head}"
        )
    return np.frombuffer(data, dtype=np.uint8, offset=head).reshape(shape)


def read_idx_pair(images: Path, labels: Path, *, classes: int) -> tuple[Pixels, Labels]:
    """Return images ``(N, H, W)`` and their class codes ``(N,)``.

    Raises
    ------
    DataError
        If their lengths differ, or a code is out of range.
    """
    pixels, codes = read_idx(images), read_idx(labels)
    if pixels.ndim != 3 or codes.ndim != 1 or len(pixels) != len(codes) or not len(codes):
        raise DataError(
            f"{images.name}: images must be (N, H, W) with one label each, got {pixels.shape} and "
            f"labels {codes.shape}"
        )
    _check_codes(labels.name, codes, classes)
    return pixels, codes.astype(np.int64)


def read_cifar(path: Path, *, classes: int) -> tuple[Pixels, Labels]:
    """Return the images ``(N, 3, 32, 32)`` and class codes of a file of CIFAR-10's binary version.

    A. Krizhevsky, "Learning multiple layers of features from tiny images" (2009),
    https://www.cs.toronto.edu/~kriz/cifar.html.

    Raises
    ------
    DataError
        If the file is not a whole number of records, or a code is out of range.
    """
    data = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    if not len(data) or len(data) % _RECORD:
        raise DataError(f"{path.name}: size must be a multiple of {_RECORD} bytes, got {len(data)}")
    records = data.reshape(-1, _RECORD)
    codes = records[:, 0]
    _check_codes(path.name, codes, classes)
    return records[:, 1:].reshape(-1, 3, 32, 32), codes.astype(np.int64)


def read_celeba_attributes(path: Path) -> pd.DataFrame:
    """Return CelebA's attribute list: a row per image, ``1`` or ``-1`` per attribute.

    Z. Liu, P. Luo, X. Wang, X. Tang, "Deep Learning Face Attributes in the Wild" (ICCV 2015):
    the number of images, the names, then a line per image.

    Raises
    ------
    DataError
        If the number of lines or values is not that of the header, or a value is not 1 or -1.
    """
    lines = _lines(path)
    names = lines[1].split() if len(lines) > 1 else []
    rows = [line.split() for line in lines[2:]]
    if len(lines) < 3 or lines[0].strip() != str(len(rows)):
        raise DataError(
            f"{path.name}: first line must be the number of images ({len(rows)}), got "
            f"{lines[0][:20] if lines else 'none'!r}"
        )
    for number, row in enumerate(rows, start=3):
        if len(row) != len(names) + 1 or not set(row[1:]) <= {"1", "-1"}:
            raise DataError(
                f"{path.name}: line {number} must hold a file and {len(names)} values 1 or -1, got "
                f"{' '.join(row)[:40]!r}"
            )
    table = pd.DataFrame([row[1:] for row in rows], columns=names, index=[r[0] for r in rows])
    return table.astype(np.int64)


def read_celeba_pairs(path: Path) -> pd.Series[int]:
    """Return a list of ``file number`` lines: CelebA's partitions (0, 1, 2) or identities.

    Raises
    ------
    DataError
        If a line has another form.
    """
    found = {}
    for number, line in enumerate(_lines(path), start=1):
        parts = line.split()
        if len(parts) != 2 or not parts[1].isdecimal():
            raise DataError(
                f"{path.name}: line {number} must be a file and a number, got {line[:40]!r}"
            )
        found[parts[0]] = int(parts[1])
    return pd.Series(found, dtype=np.int64)


def _check_codes(name: str, codes: npt.NDArray[np.uint8], classes: int) -> None:
    if int(codes.max()) >= classes:
        raise DataError(f"{name}: class codes must be in 0…{classes - 1}, got {int(codes.max())}")


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name}: file must be text in UTF-8, got: {error}") from error
    return [line for line in text.split("\n") if line.strip()]


def _unpacked(path: Path) -> bytes:
    if path.suffix != ".gz":
        return path.read_bytes()
    try:
        with gzip.open(path) as stream:
            data = stream.read(_LIMIT + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name}: file must be whole gzip, got: {error}") from error
    if len(data) > _LIMIT:
        raise DataError(f"{path.name}: file must unpack to at most {_LIMIT} bytes, got more")
    return data
