"""From a file of texts with their likelihoods to the sums of each document, by DuckDB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from plumbline import names
from plumbline.audit.counts import Statistics
from plumbline.audit.external import relations
from plumbline.audit.external.grouped import Source, sums_of_groups
from plumbline.metrics.groups.counting import MOST_GROUPS
from plumbline.table_files.dialect import PLAIN, Dialect


def file_to_documents(
    path: Path, *, nll: str, characters: str, document: str, attributes: tuple[str, ...],
    max_order: int, memory: str = "2GB", dialect: Dialect = PLAIN, most: int = MOST_GROUPS,
) -> Statistics:  # fmt: skip
    """Return nats and characters of every document of a file, by group.

    Raises
    ------
    DataError
        As `decisions.file_to_contingency`; if a value is no number.
    """
    sums = {
        "nll": relations.Total(relations.number(nll)),
        "characters": relations.Total(relations.number(characters)),
    }
    value = f"({relations.number(nll)} + {relations.number(characters)})"
    columns, keys = {"nll": nll, "characters": characters}, {"document": relations.quoted(document)}
    source = Source(path, memory, dialect, attributes, max_order, most)
    found = sums_of_groups(source, columns, keys, sums, value, others={"document": document})
    members, frames, sizes = found[0].cells[["nll", "characters"]], [], []
    for name, labels, codes, _ in found:
        n = np.bincount(codes, minlength=len(labels))
        sizes.append(pd.DataFrame({"attribute": name, "group": labels, "n": n}))
        frames.append(members.assign(attribute=name, group=np.asarray(labels, object)[codes]))
    whole, size = (pd.concat(parts, ignore_index=True) for parts in (frames, sizes))
    return Statistics(names.LANGUAGE, size, whole, len(members))
