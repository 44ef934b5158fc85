"""Archives: good ones are unpacked whole, bad ones leave nothing behind."""

import io
import tarfile
import zipfile

import pytest

from plumbline.data.fetch.archives import unpack
from plumbline.errors import DataError
from tests.data import bad_archives

LIMITS = {"max_bytes": 1_000_000, "max_files": 100}
FILES = {"a.txt": b"one", "folder/b.txt": b"two" * 1000, "c d/é.txt": b""}


def good(path, kind):
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("folder/", b"")
            for name, data in FILES.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(path, kind) as archive:
            folder = tarfile.TarInfo("./folder")
            folder.type = tarfile.DIRTYPE
            archive.addfile(folder)
            for name, data in FILES.items():
                entry = tarfile.TarInfo(f"./{name}")
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    return path


@pytest.mark.parametrize("kind", ["zip", "w", "w:gz", "w:bz2", "w:xz"])
def test_an_archive_is_unpacked_byte_for_byte(tmp_path, kind):
    archive = good(tmp_path / "archive", kind)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/other").write_text("stays")
    assert unpack(archive, tmp_path / "out", **LIMITS) == sorted(FILES)
    for name, data in FILES.items():
        assert (tmp_path / "out" / name).read_bytes() == data
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"a.txt", "folder", "c d", "other"}


@pytest.mark.parametrize("kind", ["zip", "w:gz"])
def test_wanted_members_alone_are_written_under_their_new_names(tmp_path, kind):
    archive = good(tmp_path / "archive", kind)
    members = {"folder/b.txt": "b"}
    assert unpack(archive, tmp_path / "out", members=members, **LIMITS) == ["b"]
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["b"]


def test_a_member_that_is_not_there_is_named(tmp_path):
    archive = good(tmp_path / "x.zip", "zip")
    with pytest.raises(DataError) as caught:
        unpack(archive, tmp_path / "out", members={"a.txt": "a", "z.txt": "z"}, **LIMITS)
    assert str(caught.value) == "x.zip: archive must hold 'z.txt', got no such entry"
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("kind", sorted(bad_archives.BAD))
def test_a_bad_archive_is_refused_and_leaves_nothing(tmp_path, kind):
    home = tmp_path / "home"
    home.mkdir()
    archive = bad_archives.BAD[kind](home / "archive")
    with pytest.raises(DataError, match=r"^archive: "):
        unpack(archive, home / "out", **LIMITS)
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")) == [
        "home", "home/archive", "home/out",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("zip: parent", "entry must lie inside the archive's folder, got '../out'"),
        ("tar: absolute", "entry must lie inside the archive's folder, got '/tmp/plumbline-out'"),
        ("zip: link", "entry 'link' must be a file or folder, got a link"),
        ("tar: device", "entry 'd' must be a file or folder, got a device or pipe"),
        ("zip: bomb", "archive must unpack to at most 1000000 bytes, got more"),
        ("tar: many files", "archive must hold at most 100 entries, got more"),
        ("tar: twice", "entries must have different names, got 'a' twice"),
        ("zip: encrypted", "entry 'a' must be readable, got an encrypted one"),
    ],
)
def test_the_fault_is_told_in_one_sentence(tmp_path, kind, sentence):
    archive = bad_archives.BAD[kind](tmp_path / "archive")
    with pytest.raises(DataError) as caught:
        unpack(archive, tmp_path / "out", **LIMITS)
    assert str(caught.value) == f"archive: {sentence}; the archive is refused"


def test_a_link_that_lies_there_already_is_no_way_out(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out/folder").symlink_to(tmp_path / "elsewhere")
    archive = bad_archives.zip_with(tmp_path / "x.zip", ("folder/a", b"x"))
    with pytest.raises(DataError, match="through a link"):
        unpack(archive, tmp_path / "out", **LIMITS)
    assert list((tmp_path / "elsewhere").iterdir()) == []
