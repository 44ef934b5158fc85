from plumbline.runs.findings import LOCK_FILES, RUN_JOURNAL, Finding, Ledger


def test_equal_pairs_are_counted_and_unequal_ones_are_named_once():
    book = Ledger()
    assert book.compare(LOCK_FILES, "a", 1, 1)
    assert not book.compare(LOCK_FILES, "b", "x" * 100, None, "run it")
    assert not book.compare(LOCK_FILES, "b", "x" * 100, None, "run it")
    assert book.held[LOCK_FILES] == 1
    note = f"must be {'x' * 77}..., got nothing; run it"
    assert book.breaks == [Finding(LOCK_FILES, "b", "broken", note)]


def test_a_superseded_run_is_no_break():
    book = Ledger()
    book.superseded("run 1", "gone")
    assert (len(book.findings), book.breaks) == (1, [])


def test_a_name_that_looks_like_markup_is_printed_as_it_stands(capsys):
    book = Ledger()
    book.broken(RUN_JOURNAL, "[red]a[/red]", "must not be there")
    book.show()
    out = capsys.readouterr().out
    assert "broken: run → journal: [red]a[/red] must not be there" in out
    assert "0 links hold, 1 broken, 0 superseded" in out
