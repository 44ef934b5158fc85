import errno
import math
import os
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest

from plumbline import artifacts
from plumbline.artifacts import DatasetSchema
from plumbline.errors import ArtifactError


def message(call, *args, **kwargs):
    with pytest.raises(ArtifactError) as error:
        call(*args, **kwargs)
    return str(error.value)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "deep/file.txt"
    artifacts.write_text(path, "old\n")

    def fail():
        with artifacts.atomic(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert path.read_bytes() == b"old\n"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_a_file_is_on_the_disk_before_it_takes_its_name_and_the_name_after(tmp_path, monkeypatch):
    """A power failure between any two of the calls leaves the old content or the new one."""
    path, done = tmp_path / "a", []
    artifacts.write_text(path, "old")
    flush, rename = os.fsync, os.replace

    def fsync(handle):
        done.append("folder" if os.path.isdir(f"/proc/self/fd/{handle}") else path.read_text())
        flush(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", lambda *names: done.append("rename") or rename(*names))
    artifacts.write_text(path, "new")
    assert done == ["old", "rename", "folder"]
    assert path.read_text() == "new"


@pytest.mark.parametrize(("number", "told"), [(errno.ENOSPC, True), (errno.EINVAL, False)])
def test_a_full_disk_is_told_and_a_file_system_that_cannot_flush_is_not(
    tmp_path, monkeypatch, number, told
):
    def fsync(handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match=os.strerror(number)) if told else nullcontext():
        artifacts.write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").exists() is not told


def test_text_keeps_its_line_ends(tmp_path):
    artifacts.write_text(tmp_path / "a", "é\nb\r\n")
    assert (tmp_path / "a").read_bytes() == b"\xc3\xa9\nb\r\n"


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_file_has_the_permissions_that_the_umask_gives(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        artifacts.write_text(tmp_path / "a", "private")
        artifacts.write_table(tmp_path / "b", pd.DataFrame({"x": [1]}))
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in "ab"] == [mode, mode]


def test_a_name_that_is_no_utf8_has_a_digest(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("x")
    assert len(artifacts.digest(tmp_path)) == 64


def test_a_folders_digest_depends_on_names_and_contents_alone(tmp_path):
    for name in ("one", "two"):
        for file in sorted(["b/x", "a"], reverse=name == "two"):
            artifacts.write_text(tmp_path / name / file, file)
    artifacts.write_text(tmp_path / "two/__pycache__/a.pyc", "ignored")
    one, two = (artifacts.digest(tmp_path / name) for name in ("one", "two"))
    assert one == two
    artifacts.write_text(tmp_path / "two/b/x", "changed")
    assert artifacts.digest(tmp_path / "two") != one
    (tmp_path / "one/b/x").rename(tmp_path / "one/b/y")
    assert artifacts.digest(tmp_path / "one") != one


def test_a_files_digest_is_that_of_hashlib(tmp_path):
    artifacts.write_text(tmp_path / "a", "abc")
    assert artifacts.digest(tmp_path / "a", "md5") == "900150983cd24fb0d6963f7d28e17f72"


def test_json_has_sorted_keys_ten_digits_and_null_for_what_is_undefined():
    value = {"b": (1, True), "a": np.float64(1 / 3), 3: [math.nan, -math.inf, None], "é": "ü"}
    text = artifacts.dump_json(value)
    assert text == (
        '{\n  "3": [\n    null,\n    null,\n    null\n  ],\n  "a": 0.3333333333,\n'
        '  "b": [\n    1,\n    true\n  ],\n  "é": "ü"\n}\n'
    )


def test_arrays_and_dataclasses_become_lists_and_mappings():
    assert artifacts.plain(np.array([[1, 2]], dtype=np.int8)) == [[1, 2]]
    schema = DatasetSchema("text", "toy", "language")
    assert artifacts.plain(schema)["classes"] == []
    with pytest.raises(TypeError) as error:
        artifacts.plain({1, 2})
    assert str(error.value) == "artifacts.plain: value must be JSON-like, got set"


def test_json_that_is_missing_or_broken_is_named(tmp_path):
    assert message(artifacts.read_json, tmp_path / "a.json") == (
        f"a.json: file must exist, got none at {tmp_path.as_posix()}/; run the stage that makes it"
    )
    artifacts.write_text(tmp_path / "a.json", "{")
    assert message(artifacts.read_json, tmp_path / "a.json").startswith(
        "a.json: content must be JSON, got Expecting property name"
    )
    artifacts.write_text(tmp_path / "a.json", "[" * 100_000)
    assert message(artifacts.read_json, tmp_path / "a.json").startswith(
        "a.json: content must be JSON, got maximum recursion depth"
    )


def test_equal_tables_give_equal_bytes_and_come_back(tmp_path):
    table = pd.DataFrame({"x": [1.5, 2.0], "s": ["a", "b"]}, index=[7, 9])
    for name in ("one", "two"):
        artifacts.write_table(tmp_path / name, table, {"note": [1], "at": name == "none"})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    back, meta = artifacts.read_table(tmp_path / "one")
    assert meta == {"note": [1], "at": False}
    assert back.to_dict("list") == table.to_dict("list")


def test_a_table_that_is_no_parquet_is_named(tmp_path):
    artifacts.write_text(tmp_path / "t.parquet", "no table at all")
    assert message(artifacts.read_table, tmp_path / "t.parquet").startswith(
        "t.parquet: content must be Parquet, got "
    )
