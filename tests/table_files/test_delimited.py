"""Blocks of a CSV: where they end changes no value."""

import pyarrow as pa
import pytest

from plumbline.table_files import Dialect, delimited, numbers, read_frame


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_line_end_inside_quotes_may_lie_on_the_border_of_two_blocks(tmp_path, monkeypatch, ends):
    """Arrow loses the line feed there (apache/arrow issue 51368)."""
    monkeypatch.setattr(delimited, "BLOCKS", (64, *delimited.BLOCKS))
    path = tmp_path / "t.csv"
    for length in range(130):
        value = "z" * length + "A\r\nB"
        path.write_bytes(f'id,s{ends}0,"{value}"{ends}1,plain{ends}'.encode())
        assert read_frame(path, Dialect(), where="here")["s"].tolist() == [value, "plain"]


@pytest.mark.parametrize("ends", ["", "\n", "\r\n", "\r"])
def test_a_header_alone_is_a_table_without_rows(tmp_path, ends):
    (tmp_path / "t.csv").write_bytes(f"id,s{ends}".encode())
    frame = read_frame(tmp_path / "t.csv", Dialect(), where="here")
    assert (list(frame.columns), len(frame)) == (["id", "s"], 0)


def test_a_row_longer_than_a_block_is_read_with_larger_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "BLOCKS", (32, 512))
    path = tmp_path / "t.csv"
    rows = [["a", "x\n" * 20 * n] for n in range(1, 9)]
    path.write_text("id,s\n" + "".join(f'{a},"{b}"\n' for a, b in rows), encoding="utf-8")
    for _ in range(20):  # threads of Arrow read ahead
        assert read_frame(path, Dialect(), where="here").to_numpy().tolist() == rows


def test_a_blank_of_unicode_makes_a_number_text_whatever_else_is_in_the_column():
    for others in (["1"], ["1", "x"]):
        _, wrong = numbers.parse_numbers(pa.array(["0\u00a0", " 2 ", *others]), Dialect())
        assert wrong.to_pylist()[:2] == [True, False]


@pytest.mark.parametrize("content", ["id", "id\r", "id\n", "id\r\n", "\n\nid\r"])
def test_a_header_is_a_table_without_rows(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content.encode())
    assert read_frame(tmp_path / "t.csv", Dialect(), where="here").to_dict("list") == {"id": []}
