"""Damaged parameter files: refused line by line, or read as another parser reads them."""

import io
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from ruamel.yaml import YAML
from ruamel.yaml.scanner import ScannerError

from plumbline import params
from plumbline.errors import ParamsError
from tests.conftest import ROOT
from tests.fuzz.cases import damaged, damages, examples

WHOLE = (ROOT / "params.yaml").read_bytes()
PIECES = [
    b": ", b"- ", b"\n", b"\r\n", b"\t", b"{", b"}", b"[", b"]", b"&a ", b"*a", b"<<: ", b"# ",
    b"'", b'"', b"---\n", b"...\n", b"!!int ", b"\xef\xbb\xbf", b"\xff", b"yes", b"null", b"1e-3",
    b"0o17", b"017", b"1_000", b".inf", b"seed: 7\n", b"  ", b"|", b">", b"%", b"0", b"\x85",
]  # fmt: skip


def check_file(draws) -> None:
    data = damaged(WHOLE, draws, PIECES)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        path.write_bytes(data)
        try:
            found = params.load(path)
        except ParamsError as error:
            lines = str(error).split("\n")
            assert all(line.startswith("params.yaml: ") and len(line) > 20 for line in lines)
            return
    assert params.check(read(data.decode("utf-8-sig"))) == found


def read(text: str) -> Any:
    """Read YAML by the other parser; tabs between tokens, which it refuses, become blanks."""
    while True:
        try:
            return YAML(typ="safe", pure=True).load(io.StringIO(text))
        except ScannerError as error:
            place = error.problem_mark.index
            if text[place] != "\t":
                raise
            text = f"{text[:place]} {text[place + 1 :]}"


def test_a_tab_between_tokens_is_a_blank(tmp_path):
    """A damaged file that one parser reads and the other refuses."""
    path = tmp_path / "params.yaml"
    path.write_bytes(WHOLE.replace(b"seed: ", b"seed: \t", 1))
    assert params.load(path) == params.load(ROOT / "params.yaml")
    assert params.check(read(path.read_text(encoding="utf-8"))) == params.load(path)


@examples(30)
@given(damages)
def test_a_damaged_file_is_refused_or_read_as_by_another_parser(draws):
    check_file(draws)


@pytest.mark.slow
@examples(150)
@given(damages)
def test_many_damaged_files_are_refused_or_read_as_by_another_parser(draws):
    check_file(draws)
