from pathlib import Path

import pytest

from plumbline.data.base import folders

FILES = [
    "a/one.png", "a/TWO.PNG", "b/three.jpg", "b/notes.txt", "b/list", "b/four.avif",
    ".DS_Store", "a/._one.png", "a/Thumbs.db", "__MACOSX/a/one.png",
    ".ipynb_checkpoints/one-checkpoint.png", "a/.hidden/x.png",
]  # fmt: skip


def test_every_file_is_read_or_counted(tmp_path, caplog):
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = folders.list_files(tmp_path, {".png", ".jpg"}, where="folder")
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "a/TWO.PNG", "a/one.png", "b/three.jpg",
    ]  # fmt: skip
    assert caplog.messages == [
        "folder: hidden files are left out, such as those of editors: 6",
        "folder: files of other endings are left out: 1 .avif, 1 .txt, 1 no ending; those read are "
        ".jpg, .png",
    ]


def test_a_folder_without_other_files_has_no_message(tmp_path, caplog):
    (tmp_path / "a.png").touch()
    assert folders.list_files(tmp_path, {".png"}, where="folder") == [tmp_path / "a.png"]
    assert not caplog.messages


@pytest.mark.parametrize("name", [".git/x", "a/.x", "x/__MACOSX/y", "THUMBS.DB", "Desktop.ini"])
def test_what_other_programs_leave_behind_is_hidden(name):
    assert folders.is_hidden(Path(name))


@pytest.mark.parametrize("name", ["a/b.png", "a.b/c", "thumbs.db.png"])
def test_a_name_with_a_dot_within_is_not_hidden(name):
    assert not folders.is_hidden(Path(name))


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf_8"])
def test_a_byte_order_mark_is_no_part_of_the_text(encoding):
    assert b"\xef\xbb\xbftext".decode(folders.codec(encoding)) == "text"
    assert folders.codec("latin-1") == "latin-1"
