"""Text of one's own: formats, encodings, attributes; every fault in one sentence."""

import json
import os

import pytest

from plumbline import artifacts
from plumbline.artifacts import DatasetSchema
from plumbline.data.text.prepare import prepare as prepare_text
from plumbline.errors import DataError
from plumbline.params.data import TextData
from tests.data.table_files import ABOUT


def settings(**changes):
    own = {
        "path": "mine", "sha256": "0" * 64, "encoding": "utf-8", "about": ABOUT, "format": "plain",
        "separator": "\n\n", "text": "text", "attribute": None, **changes,
    }  # fmt: skip
    return TextData.model_validate({
        "source": "file", "min_document_characters": 5, "max_characters": 10**7,
        "min_character_count": 1, "val_fraction": 0.2, "test_fraction": 0.2, "shared_runs": 0.25,
        "max_containment": 0.5, "file": own,
    })  # fmt: skip


def texts(count=60):
    return [f"Straße {k}: " + f"the word number {k} " * 15 for k in range(count)]


def prepare(folder, parameters):
    prepare_text(parameters, root=folder, seed=1).write(folder / "out")
    table = artifacts.read_split_table(folder / "out", name="documents.parquet")
    return table, DatasetSchema.read(folder / "out")


def fault(folder, parameters):
    with pytest.raises(DataError) as caught:
        prepare(folder, parameters)
    assert not (folder / "out").exists()
    return str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_a_plain_file_is_cut_at_its_separator(tmp_path, encoding):
    (tmp_path / "mine").write_text("\n\n".join(texts()), encoding=encoding)
    table, schema = prepare(tmp_path, settings(encoding=encoding))
    assert sorted(table["text"]) == sorted(texts())
    # Without an attribute of their own, documents are grouped by length.
    assert schema.attributes == ("length",)
    assert list(table.columns) == ["sample_id", "split", "text", "containment", "length"]
    shortest = table.groupby("length")["text"].agg(lambda column: column.str.len().max())
    assert shortest["short"] < table.loc[table["length"] == "long", "text"].str.len().min()
    assert set(table["split"]) == {"train", "val", "test"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("form", ["plain", "folder", "jsonl", "csv"])
def test_a_byte_order_mark_and_capital_endings_change_nothing(tmp_path, form, encoding):
    from plumbline.data.text.files import read_user_documents

    own = settings(format=form).file
    content = {
        "plain": "one text\n\nanother", "folder": "one text",
        "jsonl": '{"text": "one text"}\n', "csv": "text\none text\n",
    }[form]  # fmt: skip
    target = tmp_path / ("mine/A.TXT" if form == "folder" else "mine")
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(content.encode(encoding))
    if form == "folder":
        (tmp_path / "mine/.ipynb_checkpoints").mkdir()
        (tmp_path / "mine/.ipynb_checkpoints/A.txt").write_text("old")
    assert [d.text for d in read_user_documents(own, root=tmp_path)][:1] == ["one text"]


def test_a_folder_gives_a_document_per_file_and_the_subfolder_as_group(tmp_path):
    for k, text in enumerate(texts()):
        (tmp_path / "mine" / ("a" if k % 2 else "b")).mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / ("a" if k % 2 else "b") / f"{k}.txt").write_text(text, "utf-8")
    table, schema = prepare(tmp_path, settings(format="folder", attribute="author"))
    assert schema.attributes == ("author",)
    assert set(table["author"]) == {"a", "b"}
    assert (table["author"] == table["sample_id"].str[0]).all()
    assert (table.groupby("author")["split"].nunique() == 3).all()


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_records_have_text_and_an_attribute(tmp_path, form):
    rows = [(f"{text}\nsecond, line", "ab"[k % 2]) for k, text in enumerate(texts())]
    if form == "jsonl":
        lines = [json.dumps({"body": text, "who": who}) for text, who in rows]
    else:
        lines = ["who,body", *(f'{who},"{text}"' for text, who in rows)]
    (tmp_path / "mine").write_text("\n".join(lines), encoding="utf-8")
    table, schema = prepare(tmp_path, settings(format=form, text="body", attribute="who"))
    assert sorted(zip(table["text"], table["who"], strict=True)) == sorted(rows)
    assert schema.about["attributes"] == {"who": "'who' as declared in the file."}


def test_equal_and_short_documents_are_left_out_and_counted(tmp_path):
    every = texts()
    (tmp_path / "mine").write_text("\n\n".join([*every, every[0], every[1], "tiny"]), "utf-8")
    table, schema = prepare(tmp_path, settings())
    assert table["text"].is_unique
    assert len(table) == len(every)
    assert schema.about["duplicate_documents_left_out"] == 2


@pytest.mark.parametrize(
    ("data", "changes", "sentence"),
    [
        (b"\xff\xffab", {}, "file: mine must be text in utf-8, got invalid start byte at byte 0; "),
        (b"{", {"format": "jsonl"}, "file: mine must be jsonl, got: "),
        (b'{"a": 1}', {"format": "jsonl"}, "file: record 0 must have text in 'text', got None; "),
        (b'"abc"', {"format": "jsonl"}, "file: record 0 must have text in 'text', got None; "),
        (b'{"text": "\\ud800"}', {"format": "jsonl"}, "file: file-000000 must be text, got half "),
        (
            b'{"text": "a", "text": "b"}',
            {"format": "jsonl"},
            "file: mine must be jsonl, got: key 'text' twice in one record; rename one",
        ),
        (b"[" * 100_000, {"format": "jsonl"}, "file: mine must be jsonl, got: maximum recursion "),
        (
            b'text\n"open',
            {"format": "csv"},
            "file: mine must be CSV with doubled quotes, got a quote that opens in row 1 and does "
            "not close (the header is row 0); correct it",
        ),
        (
            b"text,text\na,b",
            {"format": "csv"},
            "file: columns of mine must have different names, got 'text' in columns 1, 2; rename",
        ),
        (b"words", {"format": "folder"}, "file: mine must be a folder, got a file; "),
        (b"", {}, "file: text must have at least 10000 characters, got 0 in 0 documents; "),
        (b"x" * 20_000, {}, "file: split val must have a document, got none of 1; "),
    ],
)
def test_bad_files_are_told_in_one_sentence(tmp_path, data, changes, sentence):
    (tmp_path / "mine").write_bytes(data)
    assert fault(tmp_path, settings(**changes)).startswith(sentence)


def folder_of(tmp_path, **files):
    for name, data in files.items():
        path = tmp_path / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_a_file_of_a_folder_that_is_no_text_is_named(tmp_path):
    folder_of(tmp_path, **{"a/1.txt": b"one", "a/2.txt": b"\xff"})
    assert fault(tmp_path, settings(format="folder")) == (
        "file: a/2.txt must be text in utf-8, got invalid start byte at byte 0; declare another "
        "encoding"
    )


def test_a_link_out_of_a_folder_of_texts_is_refused(tmp_path):
    folder_of(tmp_path, **{"a/1.txt": b"one", "../secret.txt": b"secret"})
    os.symlink("../../secret.txt", tmp_path / "mine/a/2.txt")
    assert fault(tmp_path, settings(format="folder")) == (
        "file: 'a/2.txt' must lie inside the folder, got a link that leads out of it; copy the file"
    )


def test_authors_that_look_the_same_are_refused(tmp_path):
    folder_of(tmp_path, **{"e\u0301/1.txt": b"one", "\u00e9/1.txt": b"two"})
    assert fault(tmp_path, settings(format="folder", attribute="author")) == (
        "file: values of 'author' must be in one Unicode form, got 'e\\u0301' and '\\xe9', which "
        "look the same; rename one"
    )


def test_a_record_may_hold_any_line_separator_of_unicode_within(tmp_path):
    rows = [f"{text}\u2028\x85\x0b second" for text in texts()]
    lines = [json.dumps({"text": row}, ensure_ascii=False) for row in rows]
    (tmp_path / "mine").write_text("\n".join(lines), encoding="utf-8")
    table, _ = prepare(tmp_path, settings(format="jsonl"))
    assert sorted(table["text"]) == sorted(rows)


def test_text_that_shares_everything_is_told_so(tmp_path):
    common = " ".join(f"word{k}" for k in range(200))
    (tmp_path / "mine").write_text("\n\n".join(f"{common} {k}" for k in range(60)), "utf-8")
    assert fault(tmp_path, settings()) == (
        "file: split val must have a document, got none of 60; cut the text into more documents; "
        "60 documents share text with one another, 0 repeat others; raise data_text.shared_runs "
        "or data_text.max_containment"
    )


def test_tiny_shakespeare_becomes_passages_of_whole_speeches(tmp_path):
    speeches = [f"SPEAKER {k}:\n" + f"Line {k} of verse.\n" * 12 for k in range(200)]
    (tmp_path / "data/raw/tinyshakespeare").mkdir(parents=True)
    path = tmp_path / "data/raw/tinyshakespeare/input.txt"
    path.write_text("\n".join(speeches), encoding="utf-8")
    whole = settings().model_copy(update={"source": "tinyshakespeare", "file": None})
    table, schema = prepare(tmp_path, whole)
    assert schema.source == "tinyshakespeare"
    ordered = table.sort_values("sample_id")["text"]
    assert "\n\n".join(ordered) == "\n\n".join(speech.strip() for speech in speeches)
    assert (ordered.str.len()[:-1] >= 2000).all()
    assert ordered.str.startswith("SPEAKER").all()
