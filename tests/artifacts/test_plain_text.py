"""Text from data on a terminal, in pages, in CSV and in JSON."""

import csv
import io
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.artifacts.plain_text import csv_cell, line, visible, visible_json

# Every character that could stand in a name, lone surrogates too.
ANY = st.text(st.characters(codec=None), max_size=20)
BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}  # of Annex 9, table 4
MARKS = "\u061c\u200e\u200f"


def hidden(text):
    """Return controls and controls of writing direction, by the tables of Unicode."""
    return [
        letter
        for letter in text
        if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(letter) in BIDI
        or letter in MARKS
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2Jb", r"a\x1b[2Jb"),  # clears the screen
        ("\u202eelam", r"\u202eelam"),  # shows "male" backwards
        ("a\u2066b\u2069", r"a\u2066b\u2069"),
        ("a\u200eb\u200fc", r"a\u200eb\u200fc"),
        ("fe\u200bmale", r"fe\u200bmale"),  # zero width
        ("\ufefffemale", r"\ufefffemale"),
        ("fe\xadmale", r"fe\xadmale"),  # soft hyphen
        ("\u3164", r"\u3164"),  # a letter that no font shows
        ("\U000e0041", r"\U000e0041"),  # a tag
        ("\ud800", r"\ud800"),  # half of a pair, which no file can hold
        ("a\x7fb\x85c", r"a\x7fb\x85c"),
        ("a\nb\tc", r"a\nb\tc"),
    ],
)
def test_what_cannot_be_seen_is_an_escape_sequence(text, shown):
    assert visible(text) == shown


@pytest.mark.parametrize(
    "text",
    ["Malmö", "40–49 €", "12\u202f345", "女性", "می\u200cخواهد", "क्\u200dष", "عَرَبِيّ", "½ × −1", ""],
)
def test_text_of_any_script_stays_as_it_is(text):
    assert visible(text) == text
    assert line(text) == " ".join(text.split())


def test_a_line_has_single_blanks_and_a_page_keeps_its_lines():
    assert line(" a \u2028 b\n\nc\x1b ") == r"a b c\x1b"
    assert visible("a\nb\x1b", keep="\n") == "a\nb\\x1b"
    assert line(3) == "3"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ('=HYPERLINK("http://x","y")', '\'=HYPERLINK("http://x","y")'),
        ("+1+1", "'+1+1"),
        ("-1+1", "'-1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", r"'\t=1"),
        ("\r=1", r"'\r=1"),
        ("\uff1d1+1", "'\uff1d1+1"),  # full width, which some locales take for =
        ("a;=1+1", "a;'=1+1"),  # where the semicolon separates cells
        ("a-b=c@d+e", "a-b=c@d+e"),
        ("'=1", "'=1"),
        ("", ""),
    ],
)
def test_no_cell_of_a_csv_file_begins_a_formula(text, cell):
    assert csv_cell(text) == cell


@given(ANY)
def test_no_form_of_any_text_holds_a_control_or_another_direction(text):
    for shown in (visible(text), line(text), csv_cell(text)):
        assert not hidden(shown)
        shown.encode()  # what a file can hold
    assert not hidden(visible(text, keep="\n").replace("\n", ""))
    stream = io.StringIO()
    csv.writer(stream, delimiter=";", lineterminator="\n").writerow([csv_cell(text), "x"])
    assert next(csv.reader([stream.getvalue()], delimiter=";")) == [csv_cell(text), "x"]
    assert csv_cell(text)[:1] not in set("=+-@\t\r")


@given(st.dictionaries(ANY, ANY, max_size=3))
def test_json_with_escapes_has_the_same_content(content):
    for indent in (None, 2):
        text = visible_json(json.dumps(content, ensure_ascii=False, indent=indent))
        assert json.loads(text) == content
        assert not hidden(text.replace("\n", ""))
        text.encode()


@given(ANY)
def test_text_that_is_visible_stays_visible(text):
    assert visible(visible(text)) == visible(text)
