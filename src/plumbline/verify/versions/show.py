"""A comparison of two versions as tables of a terminal, as Markdown or as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from plumbline import artifacts
from plumbline.artifacts.plain_text import visible
from plumbline.verify.versions import compare, find

TABLE, MARKDOWN, JSON = "table", "md", "json"


def run(root: Path, words: tuple[str, str], *, form: str) -> int:
    """Compare two versions, print the comparison, and return 0.

    Parameters
    ----------
    root : Path
        Work tree.
    words : (str, str)
        See `find.find`.
    form : {'table', 'md', 'json'}
    """
    a, b = (find.find(root, word) for word in words)
    found = compare.compare(a, b, compare.options_of(root))
    if form == JSON:
        print(artifacts.dump_json(found), end="")
    elif form == MARKDOWN:
        print(markdown(found))
    else:
        _print_tables(found)
    return 0


def markdown(found: Mapping[str, Any]) -> str:
    """Return a comparison as Markdown, as for a comment on a pull request."""
    lines = [f"### Results: {_escaped(found['a'])} → {_escaped(found['b'])}"]
    for title, heads, rows, texts in _sections(found):
        lines += ["", f"**{_escaped(title)}**"]
        for text in texts:
            lines += ["", _escaped(text)]
        if rows:
            lines += ["", _line(heads), "|" + "---|" * len(heads), *map(_line, rows)]
    return "\n".join([*lines, "", *(_escaped(text) for text in _ends(found))])


def _print_tables(found: Mapping[str, Any]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console = Console(width=110)
    for title, heads, rows, texts in _sections(found):
        console.print(Text(visible(title), style="bold"))
        for text in texts:
            console.print(Text(visible(text)))
        if rows:
            table = Table(box=SIMPLE_HEAD, pad_edge=False)
            for head in heads:
                table.add_column(Text(visible(head)), overflow="fold")
            for row in rows:
                table.add_row(*(Text(visible(cell)) for cell in row))
            console.print(table)
    for text in _ends(found):
        console.print(Text(visible(text)))


_Section = tuple[str, Sequence[str], list[list[str]], list[str]]


def _sections(found: Mapping[str, Any]) -> Iterator[_Section]:
    """Yield title, headings, rows and sentences of each model whose results differ."""
    a, b, percent = found["a"], found["b"], f"{found['confidence']:.0%}"
    for each in found["models"]:
        if each["identical"] and not each["params"]:
            continue
        texts = []
        if changed := [f"{p['name']}: {_or_none(p['a'])} → {_or_none(p['b'])}"
                       for p in each["params"]]:  # fmt: skip
            texts.append(f"Parameters that differ: {'; '.join(changed)}.")
        if each["identical"]:
            texts.append("The predictions are identical.")
        if each["reason"]:
            texts.append(f"Not paired: {each['reason']}.")
        gaps = [_gap(each["gap"][side]) for side in ("a", "b")]
        texts.append(f"Largest gap: {gaps[0]} → {gaps[1]}.")
        texts.append(f"Gate: {each['gate']['a']} → {each['gate']['b']}.")
        heads = ["metric", a, b, f"difference [{percent}]", "verdict"]
        rows = [
            [row["quantity"], _number(row["a"]), _number(row["b"]), _difference(row),
             row["verdict"]]
            for row in each["differences"]
        ]  # fmt: skip
        yield each["model"], heads, rows, texts


def _ends(found: Mapping[str, Any]) -> list[str]:
    same = [one["model"] for one in found["models"] if one["identical"] and not one["params"]]
    texts = [f"Identical predictions: {', '.join(same)}."] if same else []
    for side in ("a", "b"):
        if alone := found["only"][side]:
            texts.append(f"Only in {found[side]}: {', '.join(alone)}.")
    return [*texts, found["note"]]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _difference(row: Mapping[str, Any]) -> str:
    if row["value"] is None:
        return "–"
    text = f"{row['value']:+.3g}"
    if row["low"] is None or row["high"] is None:
        return text
    return f"{text} [{row['low']:+.3g}, {row['high']:+.3g}]"


def _gap(gap: Mapping[str, Any] | None) -> str:
    if gap is None or gap["value"] is None:
        return "none"
    return f"{gap['value']:.3g} {gap['metric']} by {gap['attribute']} ({gap['verdict']})"


def _or_none(value: str | None) -> str:
    return "none" if value is None else value


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_escaped, cells))} |"


def _escaped(text: str) -> str:
    """Return text as Markdown shows it: names of groups and files may hold its signs."""
    text = visible(text)
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>|#" else sign for sign in text)
