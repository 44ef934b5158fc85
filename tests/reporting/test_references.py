import pytest

from plumbline import artifacts
from plumbline.errors import ArtifactError
from plumbline.reporting.references import (
    Book,
    Reference,
    check_html,
    check_text,
    count_references,
    separate,
)
from plumbline.reporting.rendering import escape

FILE = "reports/metrics/x.json"


@pytest.fixture
def root(tmp_path):
    content = {"a.b": {"c--d": [0.1234567, None, 12345]}, "s": "x<y", "n": [64, 32], "yes": True}
    artifacts.write_json(tmp_path / FILE, content)
    return tmp_path


def entries_of(*references):
    return separate(" and ".join(reference.markdown() for reference in references))


def test_a_key_with_dots_is_not_taken_apart():
    assert Reference("r/x.json", ("a.b", "c--d", 0, "e f>"), 1).key == "a%2Eb.c--d.0.e f%3E"


def test_text_has_no_marks_and_entries_have_the_place_of_each_number(root):
    book = Book(root)
    text, entries = separate(
        f"a\n| x | {book.at(FILE, 'a.b', 'c--d', 0).markdown()} |", first_line=4
    )
    assert text == "a\n| x | 0.123 |"
    assert entries == [
        {"line": 5, "column": 7, "text": "0.123", "file": FILE, "key": "a%2Eb.c--d.0",
         "value": 0.1234567}
    ]  # fmt: skip


def test_numbers_words_and_lists_are_found_under_keys_with_dots(root):
    book = Book(root)
    found = [book.at(FILE, "a.b", "c--d", i) for i in range(3)]
    found += [book.at(FILE, key) for key in ("s", "n", "yes")]
    text, entries = entries_of(*found)
    assert len(entries) == 6
    assert check_text(text, entries, root) == []
    for reference in found:
        assert check_html(f"is {reference.__html__()}", root) == []
    assert count_references("".join(reference.__html__() for reference in found)) == 6


def test_escaped_text_cannot_pass_for_a_mark():
    mark = Reference("a.json", ("n",), 1).markdown()
    text, entries = separate(escape(mark))
    assert entries == []
    assert text == escape(mark)


def test_a_value_that_moved_by_a_millionth_is_found(root):
    text, entries = entries_of(Book(root).at(FILE, "a.b", "c--d", 0))
    moved = 0.1234567 * (1 + 1e-6)
    artifacts.write_json(root / FILE, {"a.b": {"c--d": [moved]}})
    assert check_text(text, entries, root) == [
        f"{FILE}#a%2Eb.c--d.0: value must be {moved:.10g}, got 0.1234567"
    ]


@pytest.mark.parametrize("wrong", ["0.124", "10.123", "-0.123", "0.1234", "0.12", "", "x 0.123"])
def test_a_printed_number_that_was_edited_is_found(root, wrong):
    text, entries = entries_of(Book(root).at(FILE, "a.b", "c--d", 0), Book(root).at(FILE, "s"))
    faults = check_text(text.replace("0.123", wrong), entries, root)
    assert faults
    assert faults[0].startswith(f"{FILE}#a%2Eb.c--d.0: line 1 must show 0.123, got ")


def test_an_edited_entry_is_found(root):
    text, (entry,) = entries_of(Book(root).at(FILE, "a.b", "c--d", 0))
    for change in ({"text": "0.124"}, {"line": 9}, {"column": 3}, {"value": 0.5}):
        assert check_text(text, [{**entry, **change}], root)


def test_an_edited_number_of_the_page_is_found(root):
    page = Book(root).at(FILE, "a.b", "c--d", 0).__html__().replace(">0.123<", ">0.124<")
    place = f"{FILE}#a%2Eb.c--d.0"
    assert check_html(page, root) == [f"{place}: text must be 0.123, got 0.124"]


@pytest.mark.parametrize(
    ("file", "key"), [(FILE, "none"), (FILE, "n.7"), (FILE, "n.x"), ("no.json", "a")]
)
def test_a_reference_to_nothing_is_a_fault(root, file, key):
    entry = Reference(file, tuple(key.split(".")), 1).entry(1, 1, "1")
    assert check_text("1", [entry], root) == [f"{file}#{key}: value must exist, got none"]


def test_a_missing_key_says_what_to_do(root):
    with pytest.raises(ArtifactError) as caught:
        Book(root).at(FILE, "metrics", "auroc")
    assert str(caught.value) == (
        "reports/metrics/x.json: key must exist, got no metrics.auroc; "
        "run the stage that writes this file"
    )
