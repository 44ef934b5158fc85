import os

import pytest
from PIL import Image

from plumbline.data.images.folder import inside, list_folder
from plumbline.errors import DataError
from tests.data.folders import own_folder

OWN = own_folder()
TABLE = OWN.model_copy(
    update={
        "table": "about.csv",
        "columns": OWN.columns.model_copy(
            update={"attributes": ("sex",), "entity": "person", "split": "part"}
        ),
    }
)


def picture(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), value).save(path)
    return path


@pytest.fixture
def subfolders(tmp_path):
    for name in ("cat/a.png", "dog/b.JPG", "cat/deep/c.png", "dog/d.gif"):
        picture(tmp_path / name)
    (tmp_path / "cat/notes.txt").write_text("no picture")
    return tmp_path


@pytest.fixture
def table(tmp_path):
    for name in ("x/1.png", "x/2.png", "y.png"):
        picture(tmp_path / name)
    write(tmp_path, "y.png,no,f,p2,test", "x/1.png,yes,,p1,", "x/2.png,no,m,p1,train")
    return tmp_path


def write(folder, *rows):
    lines = ["path,label,sex,person,part", *rows]
    (folder / "about.csv").write_text("\n".join(lines) + "\n")


def fault(folder, own=OWN):
    with pytest.raises(DataError) as caught:
        list_folder(folder, own)
    return str(caught.value)


def test_subfolders_are_classes_and_files_come_in_the_order_of_their_paths(subfolders):
    found = list_folder(subfolders, OWN)
    assert list(found.images.index) == ["cat/a.png", "cat/deep/c.png", "dog/b.JPG", "dog/d.gif"]
    assert list(found.images["label"]) == ["cat", "cat", "dog", "dog"]
    assert list(found.images.columns) == ["path", "label"]


def test_a_hidden_folder_is_no_class_and_a_hidden_file_no_image(subfolders):
    before = list(list_folder(subfolders, OWN).images.index)
    for name in (".ipynb_checkpoints/a-checkpoint.png", "cat/._a.png", "__MACOSX/cat/._a.png"):
        (subfolders / name).parent.mkdir(parents=True, exist_ok=True)
        (subfolders / name).write_bytes(b"no picture")
    found = list_folder(subfolders, OWN).images
    assert list(found.index) == before
    assert set(found["label"]) == {"cat", "dog"}


def test_a_table_with_two_columns_of_one_name_is_refused(table):
    (table / "about.csv").write_text("path,label,sex,person,part,label\ny.png,no,f,p,test,yes\n")
    assert fault(table, TABLE) == (
        "folder: columns of about.csv must have different names, got 'label' in columns 2, "
        "6; rename them"
    )


def test_a_table_names_labels_groups_entities_and_splits(table):
    found = list_folder(table, TABLE)
    assert list(found.images.index) == ["x/1.png", "x/2.png", "y.png"]
    assert list(found.images["label"]) == ["yes", "no", "no"]
    assert list(found.groups["sex"]) == ["unknown", "m", "f"]
    assert list(found.images["entity"]) == ["p1", "p1", "p2"]
    assert list(found.images["split"]) == ["", "train", "test"]


def test_images_can_be_left_out(table):
    left = list_folder(table, TABLE).at(["x/1.png", "y.png"])
    assert list(left.images["entity"]) == ["p1", "p2"]
    assert list(left.images["split"]) == ["", "test"]
    assert list(left.groups["sex"]) == ["unknown", "f"]


def test_a_link_out_of_the_folder_is_refused(subfolders, tmp_path_factory):
    secret = picture(tmp_path_factory.mktemp("elsewhere") / "secret.png")
    os.symlink(secret, subfolders / "cat/link.png")
    assert fault(subfolders) == (
        "folder: 'cat/link.png' must lie inside the folder, got a link that leads out of it; copy "
        "the file"
    )
    (subfolders / "cat/link.png").unlink()
    os.symlink(secret.parent, subfolders / "bird")
    assert fault(subfolders).startswith("folder: 'bird' must lie inside the folder, got a link")


@pytest.mark.parametrize("name", ["../a.png", "/etc/passwd", "x/../../a.png", "x\\..\\a", "a\0b"])
def test_a_path_out_of_the_folder_is_refused(table, name):
    with pytest.raises(DataError) as caught:
        inside(table, name)
    assert str(caught.value) == f"folder: image path must stay inside the folder, got {name!r}"


@pytest.mark.parametrize("name", [".hidden/a.png", "x/._a.png", "__MACOSX/a.png"])
def test_a_hidden_image_which_the_digest_does_not_cover_is_refused(table, name):
    picture(table / name)
    with pytest.raises(DataError) as caught:
        inside(table, name)
    assert str(caught.value) == f"folder: {name!r} must not be hidden; rename it"


def test_links_inside_the_folder_are_no_way_round(subfolders, caplog):
    """A loop is not walked, a link to a file is read, one to a folder or to nothing is counted."""
    before = list(list_folder(subfolders, OWN).images.index)
    assert not [text for text in caplog.messages if "links" in text]
    for link, target in {
        "cat/loop": "..", "cat/self.png": "self.png", "cat/gone.png": "none.png", "bird": "cat",
    }.items():  # fmt: skip
        os.symlink(target, subfolders / link)
    os.mkfifo(subfolders / "cat/pipe.png")
    os.symlink("a.png", subfolders / "cat/again.png")
    found = list(list_folder(subfolders, OWN).images.index)
    assert found == sorted([*before, "cat/again.png"])
    assert caplog.messages[-2] == (
        "folder: links to folders, links without a target and pipes are left out: 5; put files in "
        "their place"
    )


def test_classes_that_look_the_same_are_refused(subfolders):
    for name in ("e\u0301", "\u00e9"):  # as macOS writes names, and as others do
        picture(subfolders / name / "a.png")
    assert fault(subfolders) == (
        "folder: classes must be in one Unicode form, got 'e\\u0301' and '\\xe9', which look the "
        "same; rename one"
    )


def test_an_image_in_another_unicode_form_than_the_table_has_is_told_so(table):
    picture(table / "x/e\u0301.png")
    write(table, "x/\u00e9.png,no,f,p,", "y.png,yes,f,p,")
    assert fault(table, TABLE) == (
        "folder: image 'x/\u00e9.png' must exist, got one whose name is in another Unicode form, "
        "which looks the same; rename it"
    )


def test_what_a_folder_lacks_is_said(tmp_path, subfolders):
    picture(subfolders / "loose.png")
    assert fault(subfolders).startswith(
        "folder: images must lie in a subfolder per class, got 'loose.png' beside them"
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    assert fault(empty).endswith("must hold images in subfolders, got none")
    picture(empty / "only/a.png")
    assert fault(empty) == "folder: classes must be 2 to 1000, got 1 (only)"
    assert fault(tmp_path / "none").startswith("folder: path must be a folder, got none at ")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["y.png,no,f,p,", "y.png,yes,f,p,"],
         "folder: image paths must be unique, got 'y.png' more than once"),
        (["y.png,,f,p,"], "folder: column 'label' of about.csv must be filled, got 1 empty cells"),
        (["y.png,no,f,,"],
         "folder: column 'person' of about.csv must be filled, got 1 empty cells"),
        (["z.png,no,f,p,"], "folder: image 'z.png' must exist, got none; correct the table"),
        (["y.png,no,f,p,dev"],
         "folder: splits must be one of train, val, test or empty, got 'dev'"),
        ([], "folder: about.csv must have a row, got none"),
    ],
)  # fmt: skip
def test_a_table_that_does_not_fit_is_refused(table, rows, message):
    write(table, *rows)
    assert fault(table, TABLE) == message


def test_a_missing_column_is_named_with_those_that_are_there(table):
    (table / "about.csv").write_text("path,label\ny.png,a\n")
    assert fault(table, TABLE) == (
        "folder: about.csv must have the columns path, label, sex, person, part, got none named "
        "sex, person, part; it has path, label"
    )


def test_a_table_that_is_no_csv_is_refused(table):
    (table / "about.csv").write_bytes(b"path,label\n\0a,b\n")
    assert fault(table, TABLE).startswith("folder: about.csv must be text in utf-8, got a NUL byte")
    (table / "about.csv").write_text("")
    assert fault(table, TABLE) == "folder: about.csv must have rows, got an empty file"


def test_a_table_of_images_may_have_any_delimiter_and_an_index(table):
    text = (table / "about.csv").read_text().replace(",", ";")
    lines = [f"{number or ''};{line}" for number, line in enumerate(text.splitlines())]
    before = list_folder(table, TABLE)
    (table / "about.csv").write_text("\n".join(lines))
    assert list_folder(table, TABLE).images.equals(before.images)


def test_a_table_in_a_declared_encoding_is_read(table):
    text = "path,label,sex,person,part\ny.png,größer,f,p,\nx/1.png,no,f,p,\n"
    (table / "about.csv").write_bytes(text.encode("latin-1"))
    assert fault(table, TABLE).startswith(
        "folder: about.csv must be text in utf-8, got the byte 0x"
    )
    latin = TABLE.model_copy(update={"encoding": "latin-1"})
    assert list(list_folder(table, latin).images["label"]) == ["no", "größer"]
    (table / "about.csv").write_bytes(text.encode("utf-8-sig"))
    assert list(list_folder(table, TABLE).images["label"]) == ["no", "größer"]


def test_an_attribute_of_many_values_is_no_group(tmp_path):
    for number in range(60):
        picture(tmp_path / f"{number}.png")
    write(tmp_path, *(f"{n}.png,{n % 2},{n},p{n}," for n in range(60)))
    assert fault(tmp_path, TABLE) == (
        "folder: attribute 'sex' must have at most 50 values, got 60; write bands of it into the "
        "table"
    )
