"""Files are read as UTF-8, whatever mark they begin with."""

import gzip

import pytest

from plumbline.table_files.streams import open_utf8, text_encoding

TEXT = "größer,b\n1,\U0001f600"


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("data", "declared"),
    [
        (TEXT.encode(), "utf-8"),
        (TEXT.encode("utf-8-sig"), "utf-8"),
        (TEXT.encode("utf-8-sig"), "latin-1"),
        (TEXT.encode("utf-16"), "utf-8"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "utf-8"),
        (TEXT.encode("utf-16-be"), "utf-16-be"),
        (TEXT.encode("utf-32"), "utf-8"),
        (TEXT.encode("gb18030"), "gb18030"),
    ],
)
def test_every_encoding_becomes_utf_8_with_a_last_line_end(tmp_path, data, declared, size):
    for name, content in (("t", data), ("t.GZ", gzip.compress(data))):
        (tmp_path / name).write_bytes(content)
        with open_utf8(tmp_path / name, declared) as stream:
            parts = iter(lambda: stream.read(size), b"")
            assert b"".join(parts).decode() == TEXT + "\n"
    assert (tmp_path / "t").read_text(encoding=text_encoding(tmp_path / "t", declared)) == TEXT


def test_a_block_is_never_longer_than_asked_for(tmp_path):
    """Arrow copies what it gets into a buffer of that size; UTF-8 is longer than Latin-1."""
    (tmp_path / "t").write_bytes(b"\xe4" * 10)
    with open_utf8(tmp_path / "t", "latin-1") as stream:
        assert [len(stream.read(7)) for _ in range(4)] == [7, 7, 7, 0]
