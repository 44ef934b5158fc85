"""The trace of a fit: one JSON line per step, each chained to the one before it.

A line holds ``fit`` (which fit of the stage), ``step`` (batches so far, from 1), then, in causal
order (`KINDS`), the state before the step, its batch and its results, and last ``chain``: SHA-256
of the previous line's chain and of the line itself. Two traces agree up to a step if their chains
do at that step, so the first step at which they diverge is found by bisection.
`plumbline.training.engine.trace` writes them.

``rates``
    Learning rate of each optimiser at the update that made the weights, as exact float hex.
``weights``
    Digest of every parameter and buffer before the step.
``samples``
    Numbers of the samples in the batch; of a text, the document in each stream, -1 for none.
``inputs``
    Digest of every tensor of the batch, augmentation included.
``random``
    Digest of the states of the random generators, from which dropout and latent vectors are drawn.
``loss``
    Losses returned by ``training_step``, by name, as exact float hex.
``gradient``
    ``[digest, L2 norm as float hex]`` of every parameter's gradient before clipping, in the order
    of the updates and within one from the last layer to the first, as back-propagation goes.
``gradient_norm``
    L2 norm over all of them, as float hex.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from plumbline.artifacts.files import atomic
from plumbline.errors import ArtifactError

WEIGHTS, SAMPLES, INPUTS, RANDOM, LOSS, GRADIENT = KINDS = (
    "weights", "samples", "inputs", "random", "loss", "gradient",
)  # fmt: skip
FILE = "trace.jsonl"
START = ""  # chain before the first line of a fit
_LARGE = 1_000_000  # bytes from which a kept trace is compressed

Line = dict[str, Any]


def encode(previous: str, content: Mapping[str, Any]) -> tuple[str, str]:
    """Return the line of ``content`` that follows the chain ``previous``, and its own chain."""
    chain = _chain(previous, content)
    return json.dumps({**content, "chain": chain}, separators=(",", ":")) + "\n", chain


def read(path: Path) -> dict[str, list[Line]]:
    """Return the lines of every fit in a trace, in the order of the steps.

    An incomplete last line, left by a killed process, is ignored.

    Parameters
    ----------
    path : Path
        Plain, or compressed by gzip.

    Raises
    ------
    ArtifactError
        If a line is no JSON, is missing or was changed: its chain does not hold.
    """
    fits: dict[str, list[Line]] = {}
    for number, (_, line) in enumerate(_lines(path, _bytes(path)), start=1):
        rows = fits.setdefault(line["fit"], [])
        previous = rows[-1]["chain"] if rows else START
        if line["step"] != len(rows) + 1 or line["chain"] != _chain(previous, _content(line)):
            raise ArtifactError(
                f"{path.name}: line {number} must continue the chain of the line before it, got "
                f"step {line['step']} of fit {line['fit']!r}; it was changed, or lines are missing"
            )
        rows.append(line)
    return fits


def cut(path: Path, *, fit: str, step: int) -> None:
    """Remove all lines after a step of a fit, for a fit that resumes there.

    Parameters
    ----------
    path : Path
        Plain trace; may be missing.
    fit : str
    step : int
        Last step that is kept; 0 for none.
    """
    if not path.exists():
        return
    data, end = path.read_bytes(), 0
    for stop, line in _lines(path, data):
        if line["fit"] == fit and line["step"] > step:
            break
        end = stop
    with path.open("r+b") as stream:
        stream.truncate(end)


def keep(path: Path, folder: Path) -> str:
    """Copy a trace into a folder, compressed if it is large, and return the name it has there.

    The same trace gives the same bytes.
    """
    data = path.read_bytes()
    large = len(data) > _LARGE
    name = f"{FILE}.gz" if large else FILE
    for old in (FILE, f"{FILE}.gz"):
        (folder / old).unlink(missing_ok=True)
    with atomic(folder / name) as temporary:
        temporary.write_bytes(gzip.compress(data, mtime=0) if large else data)
    return name


def find(folder: Path) -> Path | None:
    """Return the trace of a journal's folder, None if it has none."""
    for path in (folder / FILE, folder / "files" / FILE, folder / "files" / f"{FILE}.gz"):
        if path.is_file():
            return path
    return None


def _chain(previous: str, content: Mapping[str, Any]) -> str:
    text = json.dumps(content, separators=(",", ":"))
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()


def _content(line: Line) -> Line:
    return {key: value for key, value in line.items() if key != "chain"}


def _bytes(path: Path) -> bytes:
    data = path.read_bytes()
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError) as error:
        raise ArtifactError(f"{path.name}: trace must be whole, got {error}") from error


def _lines(path: Path, data: bytes) -> Iterator[tuple[int, Line]]:
    end = 0
    for number, raw in enumerate(data[: data.rfind(b"\n") + 1].splitlines(keepends=True), start=1):
        end += len(raw)
        try:
            line = json.loads(raw)
        except ValueError:
            line = None
        if not isinstance(line, dict) or not {"fit", "step", "chain"} <= line.keys():
            raise ArtifactError(
                f"{path.name}: line {number} must be a step of a trace, got {raw[:40]!r}"
            )
        yield end, line
