"""Comparison of two results: bit by bit, or within the tolerance declared for their kind."""

from __future__ import annotations

import csv
import fnmatch
import hashlib
import json
import math
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline.artifacts.plain_text import visible
from plumbline.runs import dvc_files
from plumbline.runs.findings import BROKEN, Finding, print_table
from plumbline.verify.causes import Cause, changed_sources

BITWISE, WITHIN, UNCOMPARED = "bitwise", "within tolerance", "not compared"


@dataclass(frozen=True)
class Tolerance:
    """Largest difference of two numbers of one kind of file: ``absolute + relative · |expected|``.

    With ``only`` the numbers below these keys alone are compared.
    """

    absolute: float
    relative: float
    only: tuple[str, ...] = ("",)

    def __str__(self) -> str:
        """Return ``± 0.03 + 10%``, and of what."""
        keys = " and ".join(filter(None, self.only))
        return f"± {self.absolute:g} + {self.relative:.0%}{keys and f' of {keys}'}"


@dataclass(frozen=True)
class Kind:
    """Reproducibility of one kind of output.

    With portable kernels, the same package versions and the same number of threads every output is
    the same bit by bit. Elsewhere its numbers lie within a tolerance, or it is not compared (None).
    """

    pattern: str
    what: str
    elsewhere: Tolerance | None


# A report has curves beside them, whose lengths differ between processors.
_MEASURED = ("metrics", "reference")

# The one table of classes; the first match holds. Other kernels, and other numbers of threads,
# round sums in another order and training amplifies that: the tolerances are the
# differences of a retrained model, not measurement noise. Files without one follow from files that
# have one, or, like weights, mean the same in many forms. `benchmarks/reproducibility.py` tests
# them.
KINDS = (
    Kind("data/prepared/*", "prepared data", None),
    Kind("data/models/*", "weights and configs", None),
    Kind("data/predictions/*", "predictions tables", None),
    Kind("data/mitigated/*", "predictions tables of mitigations", None),
    Kind("data/samples/*", "samples of generators", None),
    Kind("reports/history/gan.csv", "training curves of the generator", Tolerance(0.5, 0.5)),
    Kind("reports/history/*.csv", "training curves", Tolerance(0.10, 0.25)),
    # Curves have other numbers of points elsewhere.
    Kind("reports/metrics/gan.json", "metrics of the generator", Tolerance(0.05, 0.5, _MEASURED)),
    Kind("reports/metrics/*.json", "metrics", Tolerance(0.03, 0.10, _MEASURED)),
    Kind("reports/comparisons/*.json", "comparisons of models", None),
    # Counts of small groups jump.
    Kind("reports/audits/*.json", "audits of models", Tolerance(0.2, 0.25, only=("gaps",))),
    Kind("reports/data_audits/*", "audits of data", None),
    Kind("reports/audits/*.md", "audits in words", None),
    Kind("reports/cards/*.md", "model cards", None),
    Kind("reports/figures/*.svg", "figures", None),
    Kind("reports/*", "worksheets, folds, report page, gate", None),
)


def kind_of(path: str) -> Kind | None:
    """Return the kind of an output, None if it is of no known kind."""
    return next((kind for kind in KINDS if fnmatch.fnmatch(path, kind.pattern)), None)


def compare(
    old: Mapping[str, dvc_files.LockEntry],
    new: Mapping[str, dvc_files.LockEntry],
    old_root: Path,
    new_root: Path,
    *,
    causes: Mapping[str, Cause] | None = None,
) -> list[Finding]:
    """Return a finding per output of both locks, in the order of the old one.

    Parameters
    ----------
    old, new : mapping
        Lock entries by stage.
    old_root, new_root : Path
        Where the files themselves are, as far as they are to be had.
    causes : mapping, optional
        See `causes.find`. Where two machines differ, other bits are judged by the tolerance of the
        kind of file; everywhere else they are broken.
    """
    found = []
    made = {out for entry in old.values() for out in entry.outs}
    for stage in dict.fromkeys([*old, *new]):
        if stage not in old or stage not in new:
            which = "the new run" if stage in old else "the lock"
            found.append(Finding(stage, "", BROKEN, f"stage is missing from {which}"))
            continue
        moved = changed_sources(old[stage], new[stage], made)
        cause = (causes or {}).get(stage)
        machine = cause.note if cause is not None else ""
        for path in dict.fromkeys([*old[stage].outs, *new[stage].outs]):
            before, after = old[stage].outs.get(path), new[stage].outs.get(path)
            if before == after and before is not None:
                found.append(Finding(stage, path, BITWISE, before[:12]))
                continue
            verdict, note = _judge(path, old_root, new_root, machine)
            if moved:
                note = f"{note}; lock is older than {', '.join(moved)}"
            elif before is None or after is None:
                note = "output of one of them only"
            else:
                note = f"{note}; {before[:12]} became {after[:12]}"
            found.append(Finding(stage, path, verdict, note))
    return found


def committed_files(
    clone: Path, folder: Path, root: Path, entries: Mapping[str, dvc_files.LockEntry]
) -> Path:
    """Copy the results of git at HEAD, or of the work tree, below ``folder``.

    A file that has not the hash of its entry is left out.
    """
    for entry in entries.values():
        for path, expected in entry.outs.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shown = subprocess.run(
                ["git", "show", f"HEAD:{path}"], cwd=clone, capture_output=True, check=False
            )
            source = root / path
            if shown.returncode == 0 and _md5(shown.stdout) == expected:
                target.write_bytes(shown.stdout)
            elif source.is_file() and dvc_files.content_hash(source) == expected:
                shutil.copyfile(source, target)
    return folder


def difference(expected: Path, got: Path, tolerance: Tolerance) -> str:
    """Return where two numeric files differ by more than a tolerance, empty if nowhere."""
    old, new = (
        {name: value for name, value in numbers(path) if name.startswith(tolerance.only)}
        for path in (expected, got)
    )
    if set(old) != set(new):
        name = sorted(set(old) ^ set(new))[0]
        return f"{name} is in one of them only"
    for name, value in old.items():
        limit = tolerance.absolute + tolerance.relative * abs(value)
        both = math.isnan(value) and math.isnan(new[name])
        if not both and not abs(new[name] - value) <= limit:
            return f"{name} is {new[name]:g}, expected {value:g} ± {limit:.3g}"
    return ""


def show(findings: list[Finding]) -> None:
    """Print the table of findings and a summary of one line."""
    rows = [(found.where, found.what, found.verdict, found.note) for found in findings]
    print_table("Verification", ("stage", "output", "class", "digest or difference"), rows)
    counts = Counter(finding.verdict for finding in findings)
    verdicts = (BITWISE, WITHIN, UNCOMPARED, BROKEN)
    print(", ".join(f"{counts[verdict]} {verdict}" for verdict in verdicts if counts[verdict]))
    for finding in findings:
        if finding.broken:
            print(visible(f"broken: {finding.where} {finding.what}"))


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _judge(path: str, old_root: Path, new_root: Path, machine: str) -> tuple[str, str]:
    """Return verdict and note of an output with other bits.

    ``machine`` says how two machines differ, if they do.
    """
    kind = kind_of(path)
    tolerance = kind.elsewhere if kind else None
    old, new = old_root / path, new_root / path
    if tolerance is None or not old.is_file() or not new.is_file():
        return (UNCOMPARED, f"other bits: {machine}") if machine else (BROKEN, "bytes differ")
    apart = difference(old, new, tolerance)
    if not machine:  # bits must be equal; the size of the difference helps to find the cause
        return BROKEN, f"bytes differ, {apart or f'its numbers by less than {tolerance}'}"
    return (BROKEN, apart) if apart else (WITHIN, f"{tolerance}: {machine}")


def numbers(path: Path) -> Iterator[tuple[str, float]]:
    """Yield name and value of every number of a JSON or CSV file; NaN where it is empty."""
    if path.suffix == ".json":
        yield from _leaves(json.loads(path.read_text(encoding="utf-8")), "")
        return
    with path.open(encoding="utf-8", newline="") as stream:
        for index, row in enumerate(csv.DictReader(stream)):
            for name, cell in row.items():
                yield f"row {index + 1} {name}", float(cell) if cell else math.nan


def _leaves(node: Any, name: str) -> Iterator[tuple[str, float]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, f"{name}.{key}" if name else key)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _leaves(value, f"{name}[{index}]")
    elif isinstance(node, (int, float)) and not isinstance(node, bool):
        yield name, float(node)
    elif node is None:
        yield name, math.nan
