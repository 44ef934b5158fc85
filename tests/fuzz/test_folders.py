"""Folders of any content: what is used, left out and refused is together what lies there."""

import io
import logging
import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from plumbline.data.base import folders
from plumbline.data.images.decode import SUFFIXES
from plumbline.data.images.photographs import folder as read_images
from plumbline.data.text.files import read_user_documents
from plumbline.params.data import ImageData
from tests.data.folders import own_folder
from tests.data.text.test_files import settings
from tests.fuzz.cases import examples, outcome

ENDINGS = [
    ".png",
    ".PNG",
    ".jpg",
    ".JpEg",
    ".gif",
    ".txt",
    ".TXT",
    ".avif",
    ".heic",
    ".csv",
    ".gz",
    "",
]
STEMS = [
    "a", "B", "b", "é", "e\u0301", "日本", "with blank", "dot.in", "'quote'", "a,b", "100%", "#1",
    "\u202egpj", "x" * 120, ".hidden", "._a", "Thumbs", "-rf", "~",
]  # fmt: skip
PARTS = ["a", "b", "A", "é", "e\u0301", "deep/er", ".ipynb_checkpoints", "__MACOSX", "b ", "..."]
NO_TEXT = [b"new\nline", b"\xff\xfe"]
CONTENTS = ["png", "jpeg", "cut", "empty", "html", "text", "latin", "nul"]
LINKS = ["file", "folder", "loop", "self", "gone", "pipe", "outside"]


def _bytes(kind: str) -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", (9, 7), (10, 200, 30)).save(sink, format="JPEG" if kind == "jpeg" else "PNG")
    return {
        "png": sink.getvalue(), "jpeg": sink.getvalue(), "cut": sink.getvalue()[:40], "empty": b"",
        "html": b"<html>404</html>", "text": "Straße\n".encode(), "latin": b"Stra\xdfe",
        "nul": b"a\0b",
    }[kind]  # fmt: skip


@st.composite
def trees(draw):
    """Entries of a folder: (bytes of the relative path, content or kind of link)."""
    found = {}
    for _ in range(draw(st.integers(0, 14))):
        part, stem = draw(st.sampled_from([*PARTS * 4, ""])), draw(st.sampled_from(STEMS))
        name = draw(st.sampled_from([stem.encode()] * 20 + NO_TEXT))
        ending = draw(st.sampled_from(ENDINGS)).encode()
        kind = draw(
            st.sampled_from(
                ["png"] * 20 + ["outside"] * (not draw(st.integers(0, 9))) + CONTENTS + LINKS[:-1]
            )
        )
        found[(part.encode() + b"/" if part else b"loose ") + name + ending] = kind
    return found


def plant(folder: Path, tree: dict[bytes, str]) -> tuple[int, int]:
    """Make a tree; return its number of files, links and pipes, and of links that lead out."""
    home = os.fsencode(folder)
    (folder.parent / "outside.png").write_bytes(_bytes("png"))
    for name, kind in tree.items():
        path = home + b"/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if kind in CONTENTS:
            Path(os.fsdecode(path)).write_bytes(_bytes(kind))
        elif kind == "pipe":
            os.mkfifo(path)
        else:
            up = os.path.relpath(home, os.path.dirname(path))
            (folder / "a").mkdir(exist_ok=True)
            (folder / "a/real.png").write_bytes(_bytes("png"))
            target = {
                "file": up + b"/a/real.png", "folder": up + b"/linked", "loop": up,
                "self": os.path.basename(path), "gone": b"none", "outside": up + b"/../outside.png",
            }[kind]  # fmt: skip
            os.makedirs(home + b"/linked", exist_ok=True)
            os.symlink(target, path)
    links = sum(kind in LINKS and kind != "pipe" for kind in tree.values())
    return len(tree) + bool(links), list(tree.values()).count("outside")


class _Messages(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def left_out(texts: list[str]) -> int:
    """The number of entries that messages count."""
    total = 0
    for text in texts:
        assert "\n" not in text
        kinds = text.split(": ", 2)[2] if "other endings" in text else text.rsplit(": ", 1)[1]
        total += sum(map(int, re.findall(r"(?:^|, )(\d+)", kinds.split(";")[0])))
    return total


def check_tree(tree: dict[bytes, str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "mine"
        folder.mkdir()
        total, outside = plant(folder, tree)
        messages = _Messages()
        folders.log.addHandler(messages)
        try:
            for suffixes in (SUFFIXES, {".txt"}):
                messages.texts.clear()
                found, told = outcome(lambda: folders.list_files(folder, suffixes, where="here"))  # noqa: B023
                if told is None:
                    assert not outside
                    assert len(found) + left_out(messages.texts) == total
                    assert all(path.suffix.lower() in suffixes for path in found)
                    assert found == sorted(
                        found, key=lambda path: path.relative_to(folder).as_posix()
                    )
                else:
                    assert "file names must be UTF-8" in told or (
                        outside and "leads out of it" in told
                    )
        finally:
            folders.log.removeHandler(messages)
        check_images(folder)
        check_text(folder)
        shutil.rmtree(folder)


def check_images(folder: Path) -> None:
    for broken in ("refuse", "skip"):
        own = own_folder(path="mine", broken=broken)
        block = {
            "source": "folder", "sizes": [8], "labels_per_class": 1, "val_fraction": 0.2,
            "test_fraction": 0.2, "max_images": None, "workers": 1, "celeba": None,
            "folder": own.model_dump(), "resample": {}, "label_noise": {}, "degrade": {},
        }  # fmt: skip
        found, told = outcome(
            lambda: read_images(ImageData.model_validate(block), folder.parent)  # noqa: B023
        )
        if told is None:
            used = len(found.ids)
            assert found.images[8].shape == (used, 3, 8, 8)
            assert len(found.codes) == used
            assert set(found.codes.tolist()) == set(range(len(found.classes)))
            assert all(name.split("/")[0] == found.classes[code]
                       for name, code in zip(found.ids, found.codes, strict=True))  # fmt: skip


def check_text(folder: Path) -> None:
    own = settings(format="folder", attribute=None).file
    found, told = outcome(lambda: read_user_documents(own, root=folder.parent))
    if told is None:
        for document in found:
            assert document.text == (folder / document.name).read_text(encoding="utf-8-sig")


@examples(40)
@given(trees())
def test_every_entry_of_a_folder_is_used_counted_or_refused(tree):
    check_tree(tree)


@pytest.mark.slow
@examples(200)
@given(trees())
def test_every_entry_of_many_folders_is_used_counted_or_refused(tree):
    check_tree(tree)
