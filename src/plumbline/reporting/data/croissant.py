"""The description of a prepared data set for machines, in the Croissant format.

MLCommons (2024), Croissant Format Specification 1.0, https://docs.mlcommons.org/croissant: JSON-LD
over schema.org, which dataset search and the usual hubs read. Files are named relative to the
prepared folder; each is pinned by its sha256.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from plumbline import artifacts, names

_SPECIFICATION = "http://mlcommons.org/croissant/1.0"
# The terms of the specification's section on namespaces; validators look for all of them.
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    **{term: f"cr:{term}" for term in (
        "citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty",
        "fileSet", "format", "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField",
        "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate",
        "separator", "source", "subField", "transform",
    )},
    **{term: {"@id": f"cr:{term}", "@type": "@json"} for term in ("data", "examples")},
    "conformsTo": "dct:conformsTo",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
}  # fmt: skip
_TYPES = {"b": "sc:Boolean", "i": "sc:Integer", "u": "sc:Integer", "f": "sc:Float"}
_FORMATS = {
    ".parquet": "application/x-parquet",
    ".npy": "application/octet-stream",
    ".json": "application/json",
}


def describe(folder: Path, audit: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Croissant description of a prepared folder.

    Parameters
    ----------
    folder : Path
        ``data/prepared/<dataset>``.
    audit : mapping
        Content of ``reports/data_audits/<dataset>.json``.

    Raises
    ------
    ArtifactError
        If the folder lacks its schema or table.
    """
    schema = artifacts.DatasetSchema.read(folder)
    about = schema.about
    name = "documents.parquet" if schema.dataset == names.TEXT else "table.parquet"
    table, _ = artifacts.read_table(folder / name)
    files = sorted(p for p in folder.iterdir() if p.suffix in _FORMATS)
    types = {str(c): _TYPES.get(table[c].dtype.kind, "sc:Text") for c in table.columns}
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": _SPECIFICATION,
        "name": f"{schema.source}_{schema.dataset}",
        "description": about.get("description", ""),
        "license": about.get("licence", ""),
        "citeAs": about.get("citation", ""),
        "url": about.get("address", ""),
        "rai:dataLimitations": about.get("not_known", ""),
        "rai:dataBiases": _biases(audit),
        "distribution": [_file(path) for path in files],
        "recordSet": [_records(name, types, schema)],
    }


def _file(path: Path) -> dict[str, str]:
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "contentUrl": path.name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": _FORMATS[path.suffix],
        "sha256": artifacts.digest(path),
    }


def _records(
    file: str, types: Mapping[str, str], schema: artifacts.DatasetSchema
) -> dict[str, Any]:
    notes = _notes(schema)
    return {
        "@type": "cr:RecordSet",
        "@id": "samples",
        "name": "samples",
        "description": "One record per sample; the .npy of each image size has the same order.",
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"samples/{column}",
                "name": column,
                "description": notes.get(column, f"Feature {column}."),
                "dataType": kind,
                "source": {"fileObject": {"@id": file}, "extract": {"column": column}},
            }
            for column, kind in types.items()
        ],
    }


def _notes(schema: artifacts.DatasetSchema) -> dict[str, str]:
    classes = ", ".join(f"{code}: {name}" for code, name in enumerate(schema.classes))
    attributes = schema.about.get("attributes", {})
    return {
        "sample_id": "Unique id of the sample.",
        "split": f"One of {', '.join(names.SPLITS)}.",
        "y": f"Class code ({classes})." if classes else "Target value.",
        "text": "The document.",
        "labelled": "Whether fine-tuning may see the label.",
        names.ENTITY: "Pseudonym of what the sample belongs to, a number in the order of "
        "first appearance; an entity is in one split only.",
        names.WEIGHT: "Number of rows that the sample represents.",
        **{name: attributes.get(name) or f"Group by {name}." for name in schema.attributes},
    }


def _biases(audit: Mapping[str, Any]) -> Sequence[str]:
    found = [
        f"{gap['metric']} by {gap['attribute']}: {gap['reason']}"
        for gap in audit["gaps"]
        if gap["verdict"] == names.DIFFERENCE
    ]
    injected = [f"injected on purpose: {line}" for line in audit["injected_bias"] or []]
    return [*injected, *found] or ["The data audit shows no difference between groups."]
