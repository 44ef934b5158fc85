"""Archives of every bad kind, made here."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path


def tar_with(path: Path, *entries: tarfile.TarInfo, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for entry in entries:
            data = b"x" * entry.size
            archive.addfile(entry, io.BytesIO(data))
    return path


def info(name: str, size: int = 3, **attributes: object) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size = size
    for key, value in attributes.items():
        setattr(entry, key, value)
    return entry


def zip_with(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return path


def zip_link(path: Path) -> Path:
    link = zipfile.ZipInfo("link")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    return zip_with(path, (link, b"/etc/passwd"))


def zip_pipe(path: Path) -> Path:
    pipe = zipfile.ZipInfo("pipe")
    pipe.create_system = 3
    pipe.external_attr = (stat.S_IFIFO | 0o644) << 16
    return zip_with(path, (pipe, b""))


def zip_encrypted(path: Path) -> Path:
    zip_with(path, ("a", b"abc"))
    body = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        body[body.index(signature) + offset] |= 1
    path.write_bytes(body)
    return path


def zip_lying_about_its_size(path: Path) -> Path:
    """Says one byte, holds ten million."""
    zip_with(path, ("a", b"x" * 10_000_000))
    body = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = body.index(signature) + offset
        body[place : place + 4] = (1).to_bytes(4, "little")
    path.write_bytes(body)
    return path


def tar_bomb(path: Path) -> Path:
    return tar_with(path, info("zeros", 60_000_000))


def cut(path: Path) -> Path:
    tar_with(path, info("a", 100_000), mode="w")
    path.write_bytes(path.read_bytes()[:50_000])
    return path


def damaged(path: Path) -> Path:
    zip_with(path, ("a", bytes(range(256)) * 40))
    body = bytearray(path.read_bytes())
    body[60] ^= 255
    path.write_bytes(body)
    return path


def holding(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


BAD: dict[str, Callable[[Path], Path]] = {
    "zip: parent": lambda p: zip_with(p, ("../out", b"x")),
    "zip: parent inside": lambda p: zip_with(p, ("a/../../out", b"x")),
    "zip: absolute": lambda p: zip_with(p, ("/tmp/plumbline-out", b"x")),
    "zip: drive": lambda p: zip_with(p, ("C:out", b"x")),
    "zip: backslash": lambda p: zip_with(p, ("..\\out", b"x")),
    "zip: control character": lambda p: zip_with(p, ("a\nb", b"x")),
    "zip: nul": lambda p: zip_with(p, (_nul_name(), b"x")),
    "zip: same name in other case": lambda p: zip_with(p, ("a", b"x"), ("A", b"y")),
    "zip: file under a file": lambda p: zip_with(p, ("a", b"x"), ("a/b", b"y")),
    "zip: link": zip_link,
    "zip: pipe": zip_pipe,
    "zip: encrypted": zip_encrypted,
    "zip: bomb": lambda p: zip_with(p, ("zeros", bytes(60_000_000))),
    "zip: lies about its size": zip_lying_about_its_size,
    "zip: many files": lambda p: zip_with(p, *((f"f{k}", b"") for k in range(200))),
    "zip: damaged": damaged,
    "zip: long name": lambda p: zip_with(p, ("n" * 300, b"x")),
    "tar: parent": lambda p: tar_with(p, info("../out")),
    "tar: absolute": lambda p: tar_with(p, info("/tmp/plumbline-out")),
    "tar: link": lambda p: tar_with(
        p, info("l", 0, type=tarfile.SYMTYPE, linkname="/etc"), info("l/passwd")
    ),
    "tar: hard link": lambda p: tar_with(
        p, info("l", 0, type=tarfile.LNKTYPE, linkname="/etc/passwd")
    ),
    "tar: device": lambda p: tar_with(p, info("d", 0, type=tarfile.CHRTYPE)),
    "tar: block device": lambda p: tar_with(p, info("d", 0, type=tarfile.BLKTYPE)),
    "tar: pipe": lambda p: tar_with(p, info("d", 0, type=tarfile.FIFOTYPE)),
    "tar: twice": lambda p: tar_with(p, info("a"), info("a")),
    "tar: bomb": tar_bomb,
    "tar: many files": lambda p: tar_with(p, *(info(f"f{k}") for k in range(200))),
    "tar: cut": cut,
    "no archive": lambda p: holding(p, b"no archive at all"),
    "empty": lambda p: holding(p, b""),
}


def _nul_name() -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("a")
    entry.filename = entry.orig_filename = "a\x00../out"
    return entry
