"""The command ``plumbline diff-runs``: find two runs and the first step at which they diverge."""

from __future__ import annotations

import glob
import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline.artifacts import traces
from plumbline.artifacts.plain_text import visible
from plumbline.errors import ArtifactError
from plumbline.runs import record_files, records
from plumbline.runs.findings import print_table
from plumbline.tracking import runs, tags
from plumbline.verify import divergence
from plumbline.verify.divergence import Difference, Divergence

TEXT, JSON = "text", "json"
_SHOWN = 8  # differences of a kind, in the table
# Tags of what can make two runs diverge.
_CAUSES = re.compile(r"dvc\.stage$|environment$|plumbline\.(seed|threads)$|(git|dep)\.")


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
    """Compare two runs, print the differences, and return 0 if their traces are equal, else 1.

    Parameters
    ----------
    root : Path
        Work tree whose run records and store are searched.
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
    """Print and return the first divergence of two runs, None if their traces are equal."""
    found = divergence.first_divergence(first.fits, second.fits)
    facts = differing_facts(first.facts, second.facts)
    if form == JSON:
        content = {
            "first": first.label,
            "second": second.label,
            "records": [vars(item) for item in facts],
            **divergence.as_dict(found),
        }
        print(json.dumps(content, indent=2))
    else:
        show(first.label, second.label, facts, found)
    return found


def find(root: Path, word: str, *, stage: str | None = None) -> Traced:
    """Return the run that a word means.

    Parameters
    ----------
    root : Path
        Work tree whose run records and store are searched.
    word : str
        A trace file, the folder of a run record, a work tree (with ``stage``: its newest run
        that has a trace), a run key or an unambiguous start of one, or the id of an MLflow run.
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
        return of_record(path)
    if (path / "dvc.yaml").is_file():
        return _of_tree(path, stage)
    folder = records.runs_folder(root)
    keys = sorted(path.name for path in folder.glob(f"{glob.escape(word)}*") if path.is_dir())
    if word in keys or len(keys) == 1:
        return of_record(folder / (word if word in keys else keys[0]))
    if keys:
        raise ArtifactError(
            f"diff-runs: run must be named without doubt, got {word!r}, with which "
            f"{len(keys)} keys begin: {', '.join(keys[:4])}"
        )
    if re.fullmatch("[0-9a-f]{32}", word):
        return _of_store(records.main_tree(root), word)
    raise ArtifactError(
        f"diff-runs: run must be a key, a run record, a trace file, a work tree or an MLflow run "
        f"id, got {word!r}; keys stand in .plumbline/runs and in the tag plumbline.key"
    )


def of_record(folder: Path) -> Traced:
    """Return the run of a run record."""
    record = record_files.read_record(folder)
    label = f"{record['stage']} ({record['key']})"
    if (path := traces.find(folder)) is None:
        raise _untraced(label)
    params = dict(runs.flatten(record["params"]))
    return Traced(label, _facts(tags.of_record(record), params), traces.read(path))


def newest_traced(tree: Path, stage: str, outs: Mapping[str, str] | None = None) -> Path | None:
    """Return the record of the newest run of a stage that has a trace, None if there is none.

    With ``outs`` its outputs must have these hashes.
    """
    for folder in reversed(record_files.read_all(records.main_tree(tree))):
        record = record_files.read_record(folder)
        same = record["stage"] == stage and outs in (None, record["outs"])
        if same and traces.find(folder) is not None:
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


def show(first: str, second: str, facts: list[Difference], found: Divergence | None) -> None:
    """Print the differing records, the first divergence, and all that differs at its step."""
    print(f"A: {visible(first)}\nB: {visible(second)}")
    if facts:
        rows = [(item.name, item.first, item.second) for item in facts]
        print_table("Differences of the records", ("record", "A", "B"), rows)
    if found is None:
        print("equal: the traces agree in every step")
        return
    title = f"Differences at step {found.step} of fit {found.fit!r}, first cause first"
    print_table(title, ("what", "where", "A", "B"), _rows(found))
    print(visible(f"diverged: {divergence.describe(found)}"))


def _rows(found: Divergence) -> list[tuple[str, str, str, str]]:
    rows = []
    for kind in found.kinds:
        for item in kind.differences[:_SHOWN]:
            rows.append((kind.name, item.name, item.first, item.second))
        if (more := len(kind.differences) - _SHOWN) > 0:
            rows.append((kind.name, f"and {more} more", "", ""))
    return rows


def _of_file(path: Path) -> Traced:
    for folder in (path.parent, path.parent.parent):  # the record that a trace lies in
        if (folder / "run.json").is_file():
            return of_record(folder)
    return Traced(path.name, {}, traces.read(path))


def _of_tree(tree: Path, stage: str | None) -> Traced:
    if stage is None:
        raise ArtifactError(
            f"diff-runs: --stage must be given with a work tree, got none for {tree.name}"
        )
    folder = newest_traced(tree, stage)
    if folder is None:
        raise _untraced(f"{stage} in {tree.resolve().name}")
    return of_record(folder)


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
    return {**{key: str(found[key]) for key in found if _CAUSES.match(key)}, **params}


def _untraced(label: str) -> ArtifactError:
    return ArtifactError(
        f"diff-runs: {label} must have a trace, got none; set trainer.trace: true in params.yaml "
        "and run the stage again"
    )
