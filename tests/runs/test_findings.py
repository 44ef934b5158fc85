from plumbline.runs.findings import LOCK_FILES, RUN_RECORD, Finding, LineageReport
from tests.artifacts.test_plain_text import hidden


def test_equal_pairs_are_counted_and_unequal_ones_are_named_once():
    report = LineageReport()
    report.compare(LOCK_FILES, "a", 1, 1)
    for _ in range(2):
        report.compare(LOCK_FILES, "b", "x" * 100, None, "run it")
    assert report.passed[LOCK_FILES] == 1
    note = f"must be {'x' * 77}..., got nothing; run it"
    assert report.breaks == [Finding(LOCK_FILES, "b", "broken", note)]


def test_a_superseded_run_is_no_break():
    report = LineageReport()
    report.add_superseded("run 1", "gone")
    assert (len(report.findings), report.breaks) == (1, [])


def test_a_name_that_looks_like_markup_is_printed_as_it_stands(capsys):
    report = LineageReport()
    report.add_broken(RUN_RECORD, "[red]a[/red]", "must not be there")
    report.show()
    out = capsys.readouterr().out
    assert "broken: run → record: [red]a[/red] must not be there" in out
    assert "0 links hold, 1 broken, 0 superseded" in out


def test_a_name_that_a_terminal_would_obey_is_printed_as_text(capsys):
    report = LineageReport()
    report.add_broken(RUN_RECORD, "\x1b[2J\u202ea", "must not be there")
    report.show()
    out = capsys.readouterr().out
    assert not hidden(out.replace("\n", ""))
    assert "broken: run → record: \\x1b[2J\\u202ea must not be there" in out
    assert not hidden(report.as_json().replace("\n", ""))
