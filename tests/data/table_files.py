"""Parameters and small CSV files for tests of the user's tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plumbline import artifacts
from plumbline.artifacts import DatasetSchema
from plumbline.data.tables.prepare import prepare as prepare_tabular
from plumbline.params.data import TabularData

ABOUT = {
    "title": "Toy", "description": "Made up.", "licence": "CC0", "citation": "nobody",
    "address": "https://example.org", "not_known": "Nothing is.",
}  # fmt: skip
ENCODING = {
    "missing_numbers": "median", "missing_categories": "own", "missing_target": "refuse",
    "max_categories": 50, "number_thresholds": 0, "min_group_rows": 1,
}  # fmt: skip
NO_BIAS: dict[str, Any] = {"resample": {}, "label_noise": {}, "degrade": {}}
CSV = {
    "path": "mine.csv", "sha256": "0" * 64, "encoding": "utf-8", "about": ABOUT, "delimiter": ",",
    "decimal": ".", "thousands": None,
    "missing_values": ["", "NA", "?"], "target": "y", "positive": None, "types": {},
    "features": "all", "attributes": {}, "weight": None, "entity": None, "rest": None,
    "except": [], "split": None, "time": None,
}  # fmt: skip


def parameters(*, encoding: dict[str, Any] | None = None, **changes: Any) -> TabularData:
    """Parameters of the CSV source; ``changes`` go to its block, or to the whole by their names."""
    outer = {
        "source": "csv", "target": "label", "attributes_as_features": False,
        "val_fraction": 0.2, "test_fraction": 0.2, **NO_BIAS,
    }  # fmt: skip
    outer["target"] = changes.pop("predict", "label")
    for name in ("attributes_as_features", "val_fraction", "test_fraction"):
        outer[name] = changes.pop(name, outer[name])
    own = {**CSV, **changes}
    return TabularData.model_validate(
        {**outer, "encoding": {**ENCODING, **(encoding or {})}, "csv": own}
    )


def prepare(folder: Path, settings: TabularData) -> tuple[Any, DatasetSchema]:
    """Prepare the CSV in ``folder``; return the table and the schema as read back."""
    prepare_tabular(settings, root=folder, seed=1).write(folder / "out")
    return artifacts.read_split_table(folder / "out"), DatasetSchema.read(folder / "out")


def write_csv(folder: Path, columns: dict[str, list[Any]], name: str = "mine.csv") -> Path:
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(str(v) for v in row) for row in rows)]
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / name
