"""The command ``plumbline diff-runs``: find two runs, compare what they are and where they part."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline.artifacts import traces
from plumbline.errors import ArtifactError
from plumbline.runs import records as journal
from plumbline.tracking import runs, tags
from plumbline.verify import divergence
from plumbline.verify.divergence import Difference, Divergence

TEXT, JSON = "text", "json"
_SHOWN = 8  # differences of a kind, in the table
# Of a run's tags, those that can make two runs part.
_TOLD = re.compile(r"dvc\.stage$|environment$|plumbline\.(seed|threads)$|(git|dep)\.")


@dataclass(frozen=True)
class Traced:
    """A run with its trace.

    Attributes
    ----------
    label : str
    facts : mapping
        Seed, threads, environment, code, dependencies and parameters, as text.
    fits : mapping
        Lines of the trace by fit.
    """

    label: str
    facts: Mapping[str, str]
    fits: divergence.Fits


def run(root: Path, words: tuple[str, str], *, stage: str | None, form: str) -> int:
    """Compare two runs, print how they differ, and return 0 if their traces are equal, else 1.

    Parameters
    ----------
    root : Path
        Work tree whose journals and store are searched.
    words : (str, str)
        See `find`.
    stage : str or None
        Which stage of a work tree.
    form : {'text', 'json'}

    Raises
    ------
    ArtifactError
        If one of them is not found, has no trace or a broken one.
    """
    first, second = (find(root, word, stage=stage) for word in words)
    return 0 if compare(first, second, form=form) is None else 1


def compare(first: Traced, second: Traced, *, form: str = TEXT) -> Divergence | None:
    """Print how two runs differ and return where they part, None if their traces are equal."""
    found = divergence.first_divergence(first.fits, second.fits)
    records = differing_facts(first.facts, second.facts)
    if form == JSON:
        told = {
            "first": first.label,
            "second": second.label,
            "records": [vars(item) for item in records],
            **divergence.as_dict(found),
        }
        print(json.dumps(told, indent=2))
    else:
        show(first.label, second.label, records, found)
    return found


def find(root: Path, word: str, *, stage: str | None = None) -> Traced:
    """Return the run that a word means.

    Parameters
    ----------
    root : Path
        Work tree whose journals and store are searched.
    word : str
        A trace file, a journal's folder, a work tree (with ``stage``: its newest run that has a
        trace), a run key or an unambiguous start of one, or the id of an MLflow run.
    stage : str, optional

    Raises
    ------
    ArtifactError
        If there is no such run, more than one, or it has no trace.
    """
    path = Path(word)
    if path.is_file():
        return _of_file(path)
    if (path / "run.json").is_file():
        return of_journal(path)
    if (path / "dvc.yaml").is_file():
        return _of_tree(path, stage)
    home = journal.runs_folder(root)
    keys = sorted(folder.name for folder in home.glob(f"{_literal(word)}*") if folder.is_dir())
    if word in keys or len(keys) == 1:
        return of_journal(home / (word if word in keys else keys[0]))
    if keys:
        raise ArtifactError(
            f"diff-runs: run must be named without doubt, got {word!r}, with which "
            f"{len(keys)} keys begin: {', '.join(keys[:4])}"
        )
    if re.fullmatch("[0-9a-f]{32}", word):
        return _of_store(home.parent.parent, word)
    raise ArtifactError(
        f"diff-runs: run must be a key, a journal, a trace file, a work tree or an MLflow run id, "
        f"got {word!r}; keys stand in .plumbline/runs and in the tag plumbline.key"
    )


def of_journal(folder: Path) -> Traced:
    """Return the run of a journal."""
    record = journal.read_record(folder)
    label = f"{record['stage']} ({record['key']})"
    if (path := traces.find(folder)) is None:
        raise _untraced(label)
    params = dict(runs.flatten(record["params"]))
    return Traced(label, _facts(tags.of_record(record), params), traces.read(path))


def newest_traced(tree: Path, stage: str) -> Path | None:
    """Return the journal of the newest run of a stage that has a trace, None if there is none."""
    for folder in reversed(journal.read_all(journal.runs_folder(tree).parent.parent)):
        if journal.read_record(folder)["stage"] == stage and traces.find(folder) is not None:
            return folder
    return None


def differing_facts(first: Mapping[str, str], second: Mapping[str, str]) -> list[Difference]:
    """Return what differs in the records of two runs; empty too where one has no record."""
    if not first or not second:
        return []
    return [
        Difference(name, first.get(name, "–"), second.get(name, "–"))
        for name in sorted({*first, *second})
        if first.get(name) != second.get(name)
    ]


def show(first: str, second: str, records: list[Difference], found: Divergence | None) -> None:
    """Print what differs in the records, the first divergence, and what parted at its step."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    def table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        say(f"\n{title}")  # a table's own title is folded to its width
        made = Table()
        for heading in headings:
            made.add_column(heading, overflow="fold")
        for row in rows:
            made.add_row(*map(escape, row))
        console.print(made)

    say(f"A: {first}\nB: {second}")
    if records:
        rows = [(item.name, item.first, item.second) for item in records]
        table("What differs in the records", ("record", "A", "B"), rows)
    if found is None:
        say("equal: the traces agree in every step")
        return
    title = f"What differs at step {found.step} of fit {found.fit!r}, first cause first"
    table(title, ("what", "where", "A", "B"), _rows(found))
    say(f"parted: {divergence.describe(found)}")


def _rows(found: Divergence) -> list[tuple[str, str, str, str]]:
    rows = []
    for parting in found.partings:
        for item in parting.differences[:_SHOWN]:
            rows.append((parting.kind, item.name, item.first, item.second))
        if (more := len(parting.differences) - _SHOWN) > 0:
            rows.append((parting.kind, f"and {more} more", "", ""))
    return rows


def _of_file(path: Path) -> Traced:
    for folder in (path.parent, path.parent.parent):  # the journal that a trace lies in
        if (folder / "run.json").is_file():
            return of_journal(folder)
    return Traced(path.name, {}, traces.read(path))


def _of_tree(tree: Path, stage: str | None) -> Traced:
    if stage is None:
        raise ArtifactError(
            f"diff-runs: --stage must be given with a work tree, got none for {tree.name}"
        )
    folder = newest_traced(tree, stage)
    if folder is None:
        raise _untraced(f"{stage} in {tree.resolve().name}")
    return of_journal(folder)


def _of_store(home: Path, run_id: str) -> Traced:
    from plumbline.tracking.fetch import fetch_trace

    with tempfile.TemporaryDirectory() as scratch:
        found, params = fetch_trace(home, run_id, Path(scratch))
        label = f"{found.get('dvc.stage', 'run')} (MLflow run {run_id})"
        path = traces.find(Path(scratch)) or Path(scratch) / f"{traces.FILE}.gz"
        if not path.is_file():
            raise _untraced(label)
        return Traced(label, _facts(found, params), traces.read(path))


def _facts(found: Mapping[str, Any], params: Mapping[str, str]) -> dict[str, str]:
    return {**{key: str(found[key]) for key in found if _TOLD.match(key)}, **params}


def _untraced(label: str) -> ArtifactError:
    return ArtifactError(
        f"diff-runs: {label} must have a trace, got none; set trainer.trace: true in params.yaml "
        "and run the stage again"
    )


def _literal(word: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", word)
