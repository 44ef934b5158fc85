import os
from pathlib import Path

import pytest

from plumbline.data.base import folders
from plumbline.errors import DataError

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


def refusal(folder):
    with pytest.raises(DataError) as caught:
        folders.list_files(folder, {".png"}, where="folder")
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "shown"), [(b"\xff.png", "'\\udcff.png'"), (b"a\nb.png", "'a\\nb.png'")]
)
def test_a_name_that_is_no_text_of_one_line_is_refused(tmp_path, name, shown):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).touch()
    assert refusal(tmp_path) == (
        f"folder: file names must be UTF-8 without control characters, got {shown}; rename it"
    )


def test_a_subfolder_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir(mode=0o000)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)  # a relative path asks nothing of the folders above
    if user := os.geteuid():
        told = refusal(Path())
    else:  # root may read everything
        os.seteuid(65534)
        try:
            told = refusal(Path())
        finally:
            os.seteuid(user)
            (tmp_path / "a").chmod(0o755)
    assert told == (
        "folder: every subfolder must be readable, got 'a': Permission denied; change its "
        "permissions"
    )


def test_texts_in_two_unicode_forms_are_refused():
    folders.check_spelling(["e", "\u00e9", "\u00e9", "E"], "file: values of 'who'")
    with pytest.raises(DataError) as caught:
        folders.check_spelling(["\u00e9", "x", "e\u0301"], "file: values of 'who'")
    assert str(caught.value) == (
        "file: values of 'who' must be in one Unicode form, got '\\xe9' and 'e\\u0301', which look "
        "the same; rename one"
    )
