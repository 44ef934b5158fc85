"""Audits of tables of any names and values: the counts of every group are those by hand."""

import csv
import tempfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline import names
from plumbline.audit.counts import contingency_to_statistics
from plumbline.audit.external.decisions import Columns, file_to_contingency
from plumbline.table_files import Dialect
from tests.fuzz.cases import examples, outcome
from tests.fuzz.test_tables import DELIMITERS, cells

LABELS = [("0", "1"), ("no", "yes"), ("False", "True"), ("-1", "1"), ("0.0", "1.0")]
ODD = ["overall", "all", "a×b", "split", "sample_id", "y", "label", "c0", "bin", "group", "n", "*"]
FORMS = ["csv", "tsv", "parquet", "pq", "dictionary"]


@st.composite
def decisions(draw):
    """Two attributes, a label and a decision, and what they are called."""
    called = st.one_of(st.sampled_from(ODD), cells("utf-8").filter(str.strip))
    header = draw(st.lists(called, min_size=4, max_size=4, unique=True))
    classes = draw(st.sampled_from(LABELS))
    groups = draw(st.lists(cells("utf-8"), min_size=1, max_size=4))
    row = st.tuples(
        st.sampled_from(groups), st.sampled_from(groups), st.sampled_from(classes),
        st.sampled_from(classes),
    )  # fmt: skip
    rows = draw(st.lists(row, min_size=1, max_size=25))
    rows += [(groups[0], groups[0], one, other) for one in classes for other in classes]
    return header, rows, classes, draw(st.sampled_from(FORMS)), draw(st.sampled_from(DELIMITERS))


def written(folder: str, header, rows, form: str, delimiter: str) -> Path:
    if form in ("csv", "tsv"):
        path = Path(folder) / f"t.{form}"
        with path.open("w", encoding="utf-8", newline="") as sink:
            writer = csv.writer(sink, delimiter=delimiter, quoting=csv.QUOTE_ALL)
            writer.writerows([header, *rows])
        return path
    path = Path(folder) / f"t.{'parquet' if form == 'dictionary' else form}"
    columns = [
        pa.array([cell or None for cell in column], pa.string())
        for column in zip(*rows, strict=True)
    ]
    if form == "dictionary":
        columns = [column.dictionary_encode() for column in columns]
    pq.write_table(pa.table(columns, names=header), path)
    return path


def group(value: str) -> str:
    return value if value.strip() else names.UNKNOWN


def check_counts(table) -> None:
    header, rows, classes, form, delimiter = table
    first, second, label, decision = header
    columns = Columns(label=label, attributes=(first, second), decision=decision)
    with tempfile.TemporaryDirectory() as folder:
        path = written(folder, header, rows, form, delimiter)
        found, told = outcome(
            lambda: file_to_contingency(
                path, columns, positive=classes[1], dialect=Dialect(delimiter=delimiter)
            )
        )
    reserved = [name for name in (first, second) if name == "overall" or "×" in name]
    if told is not None:
        assert reserved, told
        return
    assert not reserved
    assert int(found.n.sum()) == len(rows)
    places = {value: code for code, value in enumerate(found.classes)}
    assert len(places) == 2
    known = sorted(places, key=float) if classes[1] not in places else list(classes)
    want = Counter(
        (group(a), group(b), known[classes.index(y)], known[classes.index(d)])
        for a, b, y, d in rows
    )
    got: Counter = Counter()
    for code, true, decided, n in zip(found.codes, found.true, found.decided, found.n, strict=True):
        values = [found.values[place][value] for place, value in enumerate(code)]
        named = dict(zip(found.attributes, values, strict=True))
        got[named[first], named[second], found.classes[true], found.classes[decided]] += int(n)
    assert +got == want
    sizes = contingency_to_statistics(found, max_order=1).sizes
    for place, name in enumerate((first, second)):
        own = sizes[sizes["attribute"] == name]
        by_group = Counter(group(row[place]) for row in rows)
        assert dict(zip(own["group"], own["n"].astype(int), strict=True)) == by_group


@pytest.mark.no_cover
@examples(20)
@given(decisions())
def test_counts_by_group_are_those_by_hand(table):
    check_counts(table)


@pytest.mark.slow
@examples(100)
@given(decisions())
def test_counts_by_group_of_many_tables_are_those_by_hand(table):
    check_counts(table)
