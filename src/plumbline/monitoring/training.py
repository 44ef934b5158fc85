"""Summary of a model's training rows, which travels with the model.

``training_summary.json`` stands beside ``encoding.json``. It holds counts only: what new rows are
compared with is known wherever the model is, without the table that it was trained on.

- a number or date: rows at or below, and below, each of up to 256 edges, which are quantiles of the
  training rows (every distinct value, if there are no more); a date is days since 1970
- a category: rows of each value that has a feature of its own, and of all others together
- rows of each group of the audited attributes, and of each class

Rows are counted; their weights, where they have any, are not.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline import artifacts, names
from plumbline.artifacts.plain_text import visible_json
from plumbline.errors import ArtifactError, PlumblineError
from plumbline.runs.records import RunRecord

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from plumbline.data.tables.encoders import Encoder

log = logging.getLogger(__name__)

FILE = "training_summary.json"
EDGES = 256
_KEYS = {"rows", "columns", "groups", "classes"}


def keep(record: RunRecord, inputs: Iterable[str], root: Path) -> None:
    """Keep the summary of the training rows with the record of a stage that made a model.

    Data that are no table have none. A fault is logged: it costs a finished training nothing.

    Parameters
    ----------
    record : RunRecord
    inputs : iterable of str
        Paths of the dependencies of the stage.
    root : Path
        Where the data are.
    """
    if not record.fields["model"]:
        return
    for path in map(Path, inputs):
        if path.parent != names.PREPARED or not (root / path / artifacts.ENCODING).is_file():
            continue
        try:
            found = summarise(root / path)
        except PlumblineError as error:
            log.warning("monitor: training rows must be counted for the model, got: %s", error)
            continue
        if found is not None:
            with tempfile.TemporaryDirectory() as scratch:
                write(Path(scratch), found)
                record.keep(Path(scratch) / FILE, (path / FILE).as_posix())


def write(folder: Path, summary: Mapping[str, Any]) -> None:
    """Write a summary; numbers keep all their digits, as edges are compared with values."""
    text = json.dumps(summary, sort_keys=True, ensure_ascii=False, allow_nan=False)
    artifacts.write_text(folder / FILE, visible_json(text) + "\n")


def read(prepared: Path) -> dict[str, Any]:
    """Return the summary in a folder, or that of the prepared table in it.

    Raises
    ------
    ArtifactError
        If there is neither, or the file is damaged.
    """
    if not (prepared / FILE).is_file():
        if (prepared / "table.parquet").is_file() and (found := summarise(prepared)) is not None:
            return found
        raise ArtifactError(
            f"monitor: {prepared.name} must hold {FILE} or a prepared table, got neither; a model "
            "that was sent to MLflow before summaries were must be trained, or found up to date "
            "by plumbline repro, once more"
        )
    found = artifacts.read_json(prepared / FILE)
    if not isinstance(found, dict) or set(found) != _KEYS:
        got = sorted(found) if isinstance(found, dict) else type(found).__name__
        raise ArtifactError(f"{prepared.name}/{FILE}: keys must be {sorted(_KEYS)}, got {got}")
    return found


def summarise(prepared: Path) -> dict[str, Any] | None:
    """Return the summary of the training split of a prepared table, None for other data.

    Raises
    ------
    ArtifactError
        If a file is missing or damaged.
    """
    from plumbline.data.tables.encoding import KEYS, RawColumns

    encoding = artifacts.read_json(prepared / artifacts.ENCODING)
    if not isinstance(encoding, dict) or set(encoding) != set(KEYS):
        return None
    schema = artifacts.DatasetSchema.read(prepared)
    facts = schema.about.get(artifacts.ENCODED_COLUMNS, {})
    path = prepared / "table.parquet"

    def rows(*columns: str) -> pd.DataFrame:  # of one column at a time: tables may be large
        return _training_rows(path, columns)

    labels = rows("y")["y"]
    return {
        "rows": len(labels),
        "columns": {
            encoder.column: _column(rows(*encoder.features), encoder, facts.get(encoder.column, {}))
            for encoder in RawColumns.read(prepared).encoders
        },
        "groups": {name: _counts(rows(name)[name]) for name in schema.attributes},
        "classes": {name: int((labels == code).sum()) for code, name in enumerate(schema.classes)},
    }


def cumulative(values: npt.NDArray[np.float64], edges: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Return how many values are below, and at or below, each edge."""
    import numpy as np

    ordered = np.sort(values)
    return {
        "below": np.searchsorted(ordered, edges, side="left").tolist(),
        "at_most": np.searchsorted(ordered, edges, side="right").tolist(),
    }


def edges_of(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the distinct values, ascending, or of many `EDGES` quantiles, both ends included."""
    import numpy as np

    distinct = np.unique(values)
    if len(distinct) <= EDGES:
        return distinct
    return np.unique(np.quantile(values, np.linspace(0, 1, EDGES), method="inverted_cdf"))


def _training_rows(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=list(columns),
                              filters=[("split", "==", names.TRAIN)])  # fmt: skip
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise ArtifactError(f"{path.name}: file must be a prepared table, got: {error}") from error
    if absent := [name for name in columns if name not in table.column_names]:
        raise ArtifactError(f"{path.name}: columns must include {absent}, got none of them")
    found: pd.DataFrame = table.to_pandas()
    return found


def _column(table: pd.DataFrame, encoder: Encoder, facts: Mapping[str, Any]) -> dict[str, Any]:
    import numpy as np

    from plumbline.data.tables.csv_files import CATEGORY
    from plumbline.data.tables.encoders import MISSING

    if encoder.kind != CATEGORY:
        numbers = table[encoder.features[0]].to_numpy(dtype=np.float64)
        absent = np.zeros(len(table), dtype=bool)
        if encoder.flag:
            absent = table[encoder.features[-1]].to_numpy() > 0
        present = numbers[~absent]
        edges = edges_of(present)
        return {
            "kind": encoder.kind,
            "missing": int(absent.sum()),
            "edges": edges.tolist(),
            **cumulative(present, edges),
        }
    pairs = zip(encoder.values, encoder.features, strict=False)  # the last feature may be of others
    counts = {value: int(table[feature].sum()) for value, feature in pairs}
    if encoder.fill is None:
        missing = counts.pop(MISSING, 0)
    else:  # missing values were counted, and then read as the most frequent one
        missing = int(facts.get("missing", 0))
        counts[str(encoder.fill)] -= missing
    shared = len(encoder.features) > len(encoder.values)
    other = int(table[encoder.features[-1]].sum()) if shared else None
    return {"kind": encoder.kind, "missing": missing, "counts": counts, "other": other}


def _counts(column: pd.Series) -> dict[str, int]:
    return {str(name): int(n) for name, n in column.value_counts(sort=False).sort_index().items()}
