"""The contingency table as a Parquet file: an audit can be made again, without model or data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from plumbline.artifacts.files import read_table, write_table
from plumbline.errors import ArtifactError
from plumbline.metrics.groups.contingency import ContingencyTable

KIND = "contingency table"
_KEYS = ("true", "decided", "bin", "cluster")
_SUMS = ("n", "weight", "weight2", "score")


def write_contingency(path: Path, contingency: ContingencyTable) -> None:
    """Write the cells, one row each; equal tables give equal bytes.

    A column ``value_<i>`` holds the code of attribute i; names and values stand in the footer.
    Entities are numbered, in no order that tells who they are.
    """
    columns: dict[str, Any] = {
        f"value_{i}": contingency.codes[:, i] for i in range(len(contingency.attributes))
    }
    columns |= {name: getattr(contingency, name) for name in (*_KEYS, *_SUMS)}
    if contingency.scored:
        columns["lowest_score"] = contingency.edges[contingency.bin]
    meta = {
        "kind": KIND,
        "attributes": contingency.attributes,
        "values": contingency.values,
        "classes": contingency.classes,
        "positive": contingency.positive,
        "scored": contingency.scored,
        "ranges": contingency.ranges,
        "labelled": contingency.labelled,
        "probabilities": contingency.probabilities,
        "weighted": contingency.weighted,
        "clustered": contingency.clustered,
    }
    write_table(path, pd.DataFrame(columns), meta)


def read_contingency(path: Path) -> ContingencyTable:
    """Read what `write_contingency` wrote.

    Raises
    ------
    ArtifactError
        If the file is no contingency table.
    """
    table, meta = read_table(path)
    if meta.get("kind") != KIND:
        raise ArtifactError(
            f"{path.name}: file must be a contingency table, got {meta.get('kind', 'a table')}; "
            "name its columns by --label, --decision and --attributes"
        )
    bins, edges = table["bin"].to_numpy(np.int64), np.empty(0)
    if meta["scored"]:
        edges, inverse = np.unique(table["lowest_score"].to_numpy(np.float64), return_inverse=True)
        bins = inverse.astype(np.int64)
    integers = {name: table[name].to_numpy(np.int64) for name in ("true", "decided", "cluster")}
    n, *sums = (table[name].to_numpy(np.float64) for name in _SUMS)
    codes = [table[f"value_{i}"].to_numpy(np.int64) for i in range(len(meta["attributes"]))]
    return ContingencyTable(
        attributes=tuple(meta["attributes"]),
        values=tuple(map(tuple, meta["values"])),
        classes=tuple(meta["classes"]),
        positive=meta["positive"],
        edges=edges,
        codes=np.stack(codes, axis=1) if codes else np.zeros((len(table), 0), dtype=np.int64),
        true=integers["true"],
        decided=integers["decided"],
        bin=bins,
        cluster=integers["cluster"],
        n=n.astype(np.int64),
        weight=sums[0],
        weight2=sums[1],
        score=sums[2],
        weighted=meta["weighted"],
        clustered=meta["clustered"],
        ranges=meta.get("ranges", False),
        labelled=meta.get("labelled", True),
        probabilities=meta.get("probabilities", True),
    )
