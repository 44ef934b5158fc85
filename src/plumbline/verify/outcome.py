"""The line that ``plumbline repro`` ends with: its outputs compared with ``dvc.lock`` before it.

Equal hashes are counted from the text of the lock. Only entries that a run changed are parsed:
to parse a whole lock takes longer than a run in which nothing changed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from plumbline import artifacts, params
from plumbline.artifacts import yaml_text
from plumbline.artifacts.plain_text import visible
from plumbline.errors import ArtifactError
from plumbline.runs import dvc_files, provenance
from plumbline.runs.findings import BROKEN, Finding
from plumbline.tracking import references
from plumbline.verify import causes, machines, tolerances

log = logging.getLogger(__name__)

Entries = dict[str, dvc_files.LockEntry]
Why = Mapping[str, causes.Cause]

_HEAD = "schema: '2.0'\nstages:\n"
_ENTRY = re.compile(r"^  (?! )(?P<name>.*):\n(?:   .*\n)*", re.MULTILINE)
_NAMED = 3  # outputs that the line names
IDENTICAL, ADDED, UNREACHED = "identical", "added", "unreached"


@dataclass(frozen=True)
class State:
    """The locks of a work tree at one time, and the machine that made them.

    Attributes
    ----------
    locks : str
        Every ``dvc.lock``; see `dvc_files.lock_text`.
    environment : dict or None
        Content of ``reports/environment.json``.
    """

    locks: str
    environment: Mapping[str, Any] | None


@dataclass
class Outcome:
    """Outputs of the stages that a run covered, by what the comparison found.

    Attributes
    ----------
    counts : Counter
        Number of outputs by `IDENTICAL`, `ADDED`, `UNREACHED`, the kinds of `causes`, and the
        verdicts of `tolerances` for those that another machine may change.
    notes : list of str
        How the two machines differ.
    named : dict
        Stage and output of those that should be equal or within tolerance, by the key in counts.
    """

    counts: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    named: dict[str, list[str]] = field(default_factory=dict)


def state(root: Path) -> State:
    """Return the state of the locks of a work tree."""
    path, noted = root / provenance.ENVIRONMENT, None
    with contextlib.suppress(
        ArtifactError
    ):  # of another form: it says nothing, and is written anew
        noted = artifacts.read_json(path) if path.exists() else None
    return State(dvc_files.lock_text(root), noted)


def examine(
    root: Path, before: State, covered: Collection[str], *, failed: bool = False
) -> Outcome:
    """Compare the outputs of stages with those that the locks recorded before the run.

    Parameters
    ----------
    root : Path
        Work tree after the run.
    before : State
        See `state`.
    covered : collection of str
        Stages that the run covered.
    failed : bool
        Whether the run failed: some stages were not reached then.
    """
    specs = dvc_files.stages(root)
    unreached = _unreached(root, covered) if failed else set()
    known, old, new = _changed(before.locks, dvc_files.lock_text(root))
    found = Outcome()
    judged = {name: new[name] for name in new if name in old and name not in unreached}
    for name in [name for name in specs if name in covered or name in new]:
        if name in unreached:
            found.counts[UNREACHED] += len(specs[name].outs)
        elif name in new and name not in old:
            found.counts[ADDED] += len(new[name].outs)
        elif name not in new:
            found.counts[IDENTICAL if name in known else UNREACHED] += len(specs[name].outs)
    made = {out for spec in specs.values() for out in spec.outs}
    why = causes.find(old, judged, made, _machine(root, before, judged))
    for finding in _compare(root, {name: old[name] for name in judged}, judged, why):
        _count(found, finding, old, judged, why)
    found.notes = list(dict.fromkeys(found.notes))
    return found


def describe(found: Outcome) -> str:
    """Return the line, e.g. ``163 outputs: 163 identical to dvc.lock``."""
    counts, total = found.counts, sum(found.counts.values())
    heading = f"{total} output{'s' * (total != 1)}: "
    if counts[ADDED] and counts[ADDED] + counts[UNREACHED] == total:
        rest = f"{counts[ADDED]} made, {counts[UNREACHED]} not reached; " * bool(counts[UNREACHED])
        return f"{heading}{rest}no dvc.lock to compare with"
    why = f" ({'; '.join(found.notes)})" if found.notes else ""
    parts = [
        (counts[IDENTICAL], "identical to dvc.lock"),
        (counts[causes.SOURCES], f"changed with {causes.SOURCES}"),
        (counts[causes.PACKAGES], f"changed with {causes.PACKAGES}"),
        (counts[ADDED], "new"),
        (counts[tolerances.WITHIN], f"within tolerance{why}"),
        (counts[tolerances.UNCOMPARED], f"with other bits and no tolerance to compare by{why}"),
        (counts[BROKEN], f"beyond the tolerance{why}: {_names(found.named.get(BROKEN, []))}"),
        (
            counts[causes.NONE],
            f"differ ({causes.NONE}): {_names(found.named.get(causes.NONE, []))}",
        ),
        (counts[UNREACHED], "not reached"),
    ]
    return heading + ", ".join(f"{count} {text}" for count, text in parts if count)


def show(found: Outcome) -> None:
    """Print the line, and warn of outputs that should be the same."""
    print(visible(describe(found)), flush=True)
    if count := found.counts[causes.NONE]:
        log.warning(
            "repro: outputs of the same code, data, parameters and kernels must have the same "
            "bits, got %d that differ; `plumbline verify` runs them again in a clean clone and "
            "`plumbline diff-runs` finds the first step that differs",
            count,
        )


def _changed(before: str, after: str) -> tuple[set[str], Entries, Entries]:
    """Return every stage of the new locks, and of both the entries whose text is not as it was."""
    old, new = _entries(before), _entries(after)
    names = [name for name in new if new[name] != old.get(name)]
    return set(new), _parse(old, names), _parse(new, names)


def _entries(locks: str) -> dict[str, str]:
    """Return the text of each entry by stage."""
    found = {}
    for text in filter(None, locks.split("\n---\n")):
        body = text.removeprefix(_HEAD).rstrip("\n") + "\n"
        matches = list(_ENTRY.finditer(body))
        if "".join(match[0] for match in matches) == body:
            found.update({match["name"].strip("'\""): match[0] for match in matches})
        else:  # not as DVC writes it: by hand, or as a merge left it
            stages = yaml_text.parse(text, dvc_files.DVC_LOCK).get("stages", {})
            plain = {name: json.dumps(artifacts.plain(stages[name])) for name in stages}
            found.update({name: f"  {json.dumps(name)}: {plain[name]}\n" for name in plain})
    return found


def _parse(texts: Mapping[str, str], names: Iterable[str]) -> Entries:
    chosen = "".join(texts[name] for name in names if name in texts)
    return dvc_files.lock(_HEAD + chosen) if chosen else {}


def _unreached(root: Path, covered: Collection[str]) -> set[str]:
    """Return the stages whose entries do not agree with the files, and those downstream."""
    current = {name: entry for name, _, entry in references.up_to_date(root, root)}
    found = set(covered) - set(current)
    specs = dvc_files.stages(root)
    while True:
        outs = {out for name in found for out in specs[name].outs}
        more = {name for name in set(covered) - found
                if any(causes.is_made(dep, outs) for dep in current[name].deps)}  # fmt: skip
        if not more:
            return found
        found |= more


def _machine(root: Path, before: State, judged: Entries) -> dict[str, str]:
    """Return by stage how this machine differs from the one that made the entry before.

    Entries that are as they were committed are those of the environment that was committed with
    them, even if a run of other stages has noted this machine since.
    """
    if not judged:
        return {}
    trainer = params.load(root / "params.yaml").trainer
    here = artifacts.plain(provenance.environment(root, trainer))
    now, then = _entries(before.locks), _entries(_committed_locks(root))
    by_tree = machines.differences(before.environment, here)
    by_commit = machines.differences(_committed_environment(root), here)
    return {name: by_commit if now[name] == then.get(name) else by_tree for name in judged}


def _committed_locks(root: Path) -> str:
    paths = [Path(file).with_name(dvc_files.DVC_LOCK).as_posix() for file in dvc_files.files(root)]
    return "\n---\n".join(provenance.git(root, "show", f"HEAD:{path}") for path in paths)


def _committed_environment(root: Path) -> dict[str, Any] | None:
    text = provenance.git(root, "show", f"HEAD:{provenance.ENVIRONMENT.as_posix()}")
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None


def _compare(root: Path, old: Entries, new: Entries, why: Why) -> list[Finding]:
    """Compare entries; of outputs that another machine may change git has the old ones."""
    judged = {
        name: replace(entry, outs={path: old for path, old in entry.outs.items()
                                   if new[name].outs.get(path) != old})
        for name, entry in old.items() if why[name].kind == causes.MACHINE
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        reference = tolerances.committed_files(root, Path(scratch), root, judged)
        return tolerances.compare(old, new, reference, root, causes=why)


def _count(found: Outcome, finding: Finding, old: Entries, new: Entries, why: Why) -> None:
    stage, path = finding.where, finding.what
    cause = why[stage]
    if path not in new[stage].outs:
        return
    if path not in old[stage].outs:
        kind = ADDED
    elif finding.verdict == tolerances.BITWISE:
        kind = IDENTICAL
    elif cause.kind == causes.MACHINE:
        kind = finding.verdict
        found.notes.append(cause.note)
    else:
        kind = cause.kind
    found.counts[kind] += 1
    if kind in (causes.NONE, BROKEN):
        found.named.setdefault(kind, []).append(f"{stage} {path}")


def _names(outputs: list[str]) -> str:
    more = f" and {len(outputs) - _NAMED} more" if len(outputs) > _NAMED else ""
    return ", ".join(outputs[:_NAMED]) + more
