import pytest

from plumbline import artifacts
from plumbline.errors import ArtifactError
from plumbline.reporting.references import (
    Book,
    Reference,
    check_html,
    check_markdown,
    count_references,
)

FILE = "reports/metrics/x.json"


@pytest.fixture
def root(tmp_path):
    content = {"a.b": {"c--d": [0.1234567, None, 12345]}, "s": "x<y", "n": [64, 32], "yes": True}
    artifacts.write_json(tmp_path / FILE, content)
    return tmp_path


def test_a_place_holds_neither_a_dot_in_a_key_nor_the_end_of_a_comment():
    place = Reference("r/x.json", ("a.b", "c--d", 0, "e f>"), 1).place()
    assert place == "r/x.json#a%2Eb.c%2D-d.0.e%20f%3E"


def test_a_number_is_found_again_under_keys_with_dots_and_hyphens(root):
    book = Book(root)
    text = book.at(FILE, "a.b", "c--d", 0).markdown()
    assert text.startswith("0.123<!-- ref: ")
    assert check_markdown(text, root) == []
    assert check_html(book.at(FILE, "a.b", "c--d", 0).__html__(), root) == []


def test_words_and_lists_are_looked_up_too(root):
    book = Book(root)
    for reference in (book.at(FILE, "s"), book.at(FILE, "n"), book.at(FILE, "yes")):
        assert check_markdown(f"is {reference.markdown()}", root) == []
        assert check_html(f"is {reference.__html__()}", root) == []
    assert check_markdown(book.at(FILE, "a.b", "c--d", 1).markdown(), root) == []


def test_a_value_that_moved_by_a_millionth_is_found(root):
    text = Book(root).at(FILE, "a.b", "c--d", 0).markdown()
    moved = 0.1234567 * (1 + 1e-6)
    artifacts.write_json(root / FILE, {"a.b": {"c--d": [moved]}})
    assert check_markdown(text, root) == [
        f"{FILE}#a.b.c--d.0: value must be {moved:.10g}, got 0.1234567"
    ]


def test_a_printed_number_that_was_edited_is_found(root):
    text = Book(root).at(FILE, "a.b", "c--d", 0).markdown()
    place = f"{FILE}#a.b.c--d.0"
    for wrong, got in (("0.124", "0.124"), ("10.123", "0.123"), ("-0.123", "0.123")):
        faults = check_markdown(text.replace("0.123<", f"{wrong}<"), root)
        assert faults == [f"{place}: text must be 0.123, got {got}"]
    page = Book(root).at(FILE, "a.b", "c--d", 0).__html__().replace(">0.123<", ">0.124<")
    assert check_html(page, root) == [f"{place}: text must be 0.123, got 0.124"]


def test_a_value_of_the_front_matter_is_looked_up(root):
    line = f"---\n  value: 0.1234568  # ref: {FILE}#a%2Eb.c%2D-d.0\n---\n"
    assert check_markdown(line, root) == [
        f"{FILE}#a.b.c--d.0: value must be 0.1234567, got 0.1234568"
    ]


@pytest.mark.parametrize("place", [f"{FILE}#none", f"{FILE}#n.7", f"{FILE}#n.x", "no.json#a"])
def test_a_reference_to_nothing_is_a_fault(root, place):
    text = f"1<!-- ref: {place} = 1 -->"
    assert check_markdown(text, root) == [f"{place}: value must exist, got none"]


def test_a_missing_key_says_what_to_do(root):
    with pytest.raises(ArtifactError) as caught:
        Book(root).at(FILE, "metrics", "auroc")
    assert str(caught.value) == (
        "reports/metrics/x.json: key must exist, got no metrics.auroc; "
        "run the stage that writes this file"
    )


def test_references_are_counted_in_text_front_matter_and_page(root):
    reference = Book(root).at(FILE, "n")
    both = "---\n  value: 1  # ref: a#b\n---\n" + reference.markdown() + reference.__html__()
    assert count_references(both) == 3
