"""What stages took when they last ran, from the run records of the work tree."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from plumbline.errors import ParamsError
from plumbline.runs import dvc_files, provenance, records

LOOKED_AT = 5  # latest runs of a stage among which one with the same parameters is looked for

_FOLDER = re.compile(r"\d{8}T\d{12}-(?P<stage>.+)-(?P<pid>\d+)")


class Past(NamedTuple):
    """What a stage took in an earlier run.

    Attributes
    ----------
    seconds : float or None
        Wall time of its processes, from their start, over all attempts; None if it is not known.
    peak_memory : int or None
        Bytes, with its child processes; None if it was not measured.
    """

    seconds: float | None
    peak_memory: int | None


def read(root: Path) -> dict[str, Past]:
    """Return what each stage took in its latest finished run; stages without one are left out.

    A run with the parameters that the stage has now comes before later ones with others, among the
    latest `LOOKED_AT` runs.
    """
    specs = dvc_files.stages(root)
    blocks = _digests(root, specs.values())
    listed = _listed(records.runs_folder(root))
    referring: set[str] = set()
    found: dict[str, Past] = {}
    for name, spec in specs.items():
        digests = {block: blocks.get((file, block), "") for block, file in spec.params.items()}
        candidates = _finished(listed.get(name.replace("@", "-"), []), name, referring)
        if (past := choose(candidates, digests)) is not None:
            found[name] = past
    return found


def choose(candidates: Iterable[Mapping[str, Any]], digests: Mapping[str, str]) -> Past | None:
    """Return what the best of some run records tells; None if there is none.

    Parameters
    ----------
    candidates : iterable of mapping
        Finished runs of one stage, latest first; no more are read than are needed.
    digests : mapping
        `provenance.param_digests` of the stage's parameters now.
    """
    first: Past | None = None
    for place, record in enumerate(candidates):
        past = Past(seconds(record), record["peak_memory"])
        if past.seconds is None:
            continue
        if record.get("param_digests") == digests:
            return past
        first = first or past
        if place + 1 == LOOKED_AT:
            break
    return first


def seconds(record: Mapping[str, Any]) -> float | None:
    """Return the wall time of a run over all its attempts, None if it is not known.

    A run that was stopped and went on took the time of every attempt. Records of earlier versions
    do not say when the later ones began, nor how long a process imported before its record began.
    """
    attempts = [*record.get("stops", []), record]
    fallback = record["started"] if len(attempts) == 1 else None
    total = 0
    for attempt in attempts:
        begun = attempt.get("launched", fallback)
        if begun is None or attempt["ended"] < begun:  # a clock was set back
            return None
        total += attempt["ended"] - begun
    return total / 1000


def _digests(root: Path, specs: Iterable[dvc_files.StageSpec]) -> dict[tuple[str, str], str]:
    """Return the digest of each block of parameters by its file and name; reads a file once.

    Blocks of a file that cannot be read have none: DVC will name the file.
    """
    blocks = {(file, block) for spec in specs for block, file in spec.params.items()}
    found: dict[tuple[str, str], str] = {}
    for file in {file for file, _ in blocks}:
        named = {block: file for where, block in blocks if where == file}
        with contextlib.suppress(OSError, ParamsError):
            digests = provenance.param_digests(dvc_files.raw_params(root, named))
            found |= {(file, name): text for name, text in digests.items()}
    return found


def _listed(folder: Path) -> dict[str, list[tuple[Path, str]]]:
    """Return folder and process id of each run by stage, latest first, from the names alone."""
    found: dict[str, list[tuple[Path, str]]] = {}
    paths = sorted(folder.iterdir(), reverse=True) if folder.is_dir() else []
    for path in paths:
        if parts := _FOLDER.fullmatch(path.name):
            found.setdefault(parts["stage"], []).append((path, parts["pid"]))
    return found


def _finished(
    listed: Iterable[tuple[Path, str]], stage: str, referring: set[str]
) -> Iterable[dict[str, Any]]:
    """Yield the records of runs that finished, and of no restored outputs.

    One process makes the records of all restored outputs of a pipeline: once it is known
    (``referring``), the others need not be opened.
    """
    for folder, pid in listed:
        if pid in referring:
            continue
        try:
            record = json.loads((folder / "run.json").read_bytes())
            if record["origin"] == records.REFERENCE:
                referring.add(pid)
            elif (record["stage"], record["status"]) == (stage, records.FINISHED):
                seconds(record)  # raises if it is damaged
                yield {"peak_memory": None, **record}
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            continue  # damaged, or removed at this moment
