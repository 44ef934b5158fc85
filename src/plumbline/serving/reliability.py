"""How reliable a model was, in its audit, for the group of each new row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from plumbline import names
from plumbline.errors import ArtifactError, DataError
from plumbline.serving.groups import rows_to_groups
from plumbline.table_files import Dialect

# Of these metrics those that the audit has.
METRICS = (names.ACCURACY, names.TPR, names.FPR, names.MAE, names.BITS_PER_CHARACTER)
_HEAD = "reliability"


@dataclass(frozen=True)
class GroupReliability:
    """Metrics of an audit by group of one attribute.

    Attributes
    ----------
    attribute : str
    table : DataFrame
        Indexed by group: ``<metric>``, ``<metric>_low``, ``<metric>_high``, ``<metric>_n``, which
        are missing where there are too few cases, and ``reason``, which says why.
    """

    attribute: str
    table: pd.DataFrame

    def columns(self, column: Any, *, dialect: Dialect) -> pd.DataFrame:
        """Return the reliability of the group of each raw row, a row for each.

        Parameters
        ----------
        column : Arrow array
            The attribute in the raw rows.
        dialect : Dialect
        """
        where = f"predict: attribute {self.attribute!r}"
        known = list(self.table.index)
        group = rows_to_groups(column, known, dialect=dialect, where=where)
        found = self.table.reindex(pd.Index(group, dtype=object)).reset_index(drop=True)
        new = pd.Series(group).isna()
        found.loc[new, "reason"] = f"the audit has no such group of {self.attribute}"
        found.insert(0, "group", pd.Series(group, dtype="string"))
        found["reason"] = found["reason"].astype("string")
        return found.add_prefix(f"{_HEAD}_{self.attribute}_")


def read_reliability(audit: Mapping[str, Any]) -> list[GroupReliability]:
    """Return the reliability by group of each attribute of an audit, intersections left out.

    Parameters
    ----------
    audit : mapping
        Content of ``reports/audits/<model>.json``.

    Raises
    ------
    ArtifactError
        If it has no attribute, or none of `METRICS`.
    """
    rows = pd.DataFrame(list(audit.get("rows", [])))
    reasons = {
        (entry["attribute"], entry["group"], entry["metric"]): str(entry["reason"])
        for entry in audit.get("left_out", [])
    }
    wanted = [name for name in METRICS if len(rows) and (rows["metric"] == name).any()]
    if not wanted or not audit.get("attributes"):
        raise ArtifactError(
            f"predict: audit of {audit.get('model', 'the model')} must have attributes and one of "
            f"{', '.join(METRICS)}, got attributes {audit.get('attributes')}; predict without "
            "--reliability"
        )
    return [
        GroupReliability(name, _table(rows[rows["attribute"] == name], name, wanted, reasons))
        for name in audit["attributes"]
    ]


def check_columns(found: Sequence[GroupReliability], columns: Sequence[str], *, file: str) -> None:
    """Check that raw rows have a column of each attribute.

    Raises
    ------
    DataError
        If they have not.
    """
    if absent := [one.attribute for one in found if one.attribute not in columns]:
        raise DataError(
            f"predict: {file} must have the attributes of the audit, {absent}, got columns "
            f"{list(columns)[:30]}; add them, or predict without --reliability"
        )


def _table(
    rows: pd.DataFrame,
    attribute: str,
    metrics: Sequence[str],
    reasons: Mapping[tuple[str, str, str | None], str],
) -> pd.DataFrame:
    groups = list(dict.fromkeys(rows["group"]))
    table = pd.DataFrame(index=pd.Index(groups, dtype=object))
    why: dict[str, list[str]] = {group: [] for group in groups}
    for metric in metrics:
        own = rows[rows["metric"] == metric].set_index("group").reindex(groups)
        whole = {group: reasons.get((attribute, group, None)) for group in groups}
        few = {group: reasons.get((attribute, group, metric)) or whole[group] for group in groups}
        enough = np.array([few[group] is None for group in groups])
        for part in ("value", "low", "high"):
            name = metric if part == "value" else f"{metric}_{part}"
            table[name] = own[part].astype("float64").where(enough)
        table[f"{metric}_n"] = own["n"].astype("Int64")
        for group, reason in few.items():
            if reason is not None:
                why[group].append(reason if whole[group] else f"{metric}: {reason}")
    told = ["; ".join(dict.fromkeys(why[group])) or None for group in groups]
    table["reason"] = pd.Series(told, index=table.index, dtype=object)
    return table
