"""What to do about leakage between splits, by what the owner of the data has declared."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from plumbline import names
from plumbline.data_audit.dataset import AuditedDataset
from plumbline.errors import DataError

NAMED = 3  # pairs in the message; the report holds more
# Where the owner of the data declares which rows belong together.
_ENTITY_KEYS = {"csv": "data_tabular.csv.entity", "folder": "data_images.folder.columns.entity"}


def leaks(
    dataset: AuditedDataset, found: Mapping[str, Any], *, max_share: float
) -> DataError | None:
    """Return the error for data with leakage between splits, None if they may be used.

    Parameters
    ----------
    dataset : AuditedDataset
    found : mapping
        See `duplicates.find_duplicates`.
    max_share : float
        Allowed share of held-out rows with an exact, or with a near, duplicate in training. Rows
        so coarse that equality is no evidence of a duplicate are allowed, too.
    """
    parts = {kind: found[kind] for kind in ("exact", "near")}
    leaking = [part for part in parts.values() if part["verdict"] == names.LEAKAGE]
    if not any(part["share"] > max_share for part in leaking):
        return None
    counts = [f"{part['count']:,} {kind} of {part['n']:,}" for kind, part in parts.items()]
    pairs = [pair for part in parts.values() for pair in part["pairs"]][:NAMED]
    named = ", ".join(f"{pair['held_out']} ({pair['split']}) and {pair['train']}" for pair in pairs)
    report = (names.DATA_AUDITS / f"{dataset.schema.dataset}.md").as_posix()
    share = math.ceil(max(part["share"] for part in leaking) * 10_000) / 10_000
    return DataError(
        f"{dataset.schema.source}: held-out samples must not have duplicates in the training split "
        f"(at most a share of {max_share:g}), got {' and '.join(counts)}, e.g. {named}"
        f"{_by_chance(found)}; see {report}. {_advice(dataset)}, or allow their share: "
        f"data_audit.max_leaked_share: {share:g}"
    )


def _by_chance(found: Mapping[str, Any]) -> str:
    chance = found["chance_share"]
    return f" (shuffled training rows equal {100 * chance:.2g} % of them)" if chance else ""


def _advice(dataset: AuditedDataset) -> str:
    schema = dataset.schema
    if names.ENTITY in dataset.table:
        declared = schema.about.get("entity", "as the source has them").partition(",")[0]
        return f"Their entities ({declared}) differ: correct those that are one, remove the samples"
    if schema.source in _ENTITY_KEYS:
        key = _ENTITY_KEYS[schema.source]
        return f"Name the column of what they belong to as {key}, remove the samples"
    if schema.dataset == names.TEXT:
        return "Lower data_text.max_containment, so that they stay in training, remove the samples"
    return "Remove the samples"
