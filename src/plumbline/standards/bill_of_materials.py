"""A CycloneDX 1.6 bill of materials: models with their cards, data sets and libraries.

Schema: https://cyclonedx.org/schema/bom-1.6.schema.json. It holds no serial number and no time, so
that equal pipelines have equal bills.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from plumbline import artifacts, names

_SPDX = {"apache-2.0": "Apache-2.0", "mit": "MIT", "bsd-3-clause": "BSD-3-Clause"}
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)$", re.MULTILINE)
_APPLICATION = "application:plumbline"


@dataclass(frozen=True)
class ModelFiles:
    """What the bill says about a model, as its files hold it."""

    config: artifacts.ModelConfig
    schema: artifacts.DatasetSchema
    metrics: Mapping[str, Any]
    audit: Mapping[str, Any]
    weights: Path


def bill_of_materials(models: Sequence[ModelFiles], *, lock: str, licence: str) -> dict[str, Any]:
    """Return the bill.

    Parameters
    ----------
    models : sequence of ModelFiles
    lock : str
        Text of ``requirements.lock``: one ``name==version`` a line.
    licence : str
        Of the models.
    """
    schemas = {model.schema.dataset: model.schema for model in models}
    libraries = [_library(name, pin) for name, pin in sorted(set(_PIN.findall(lock)))]
    shared = [library["bom-ref"] for library in libraries]
    depends = [{"ref": _APPLICATION, "dependsOn": [_ref(model) for model in models]}]
    for model in models:
        depends.append({"ref": _ref(model), "dependsOn": [f"data:{model.schema.dataset}", *shared]})
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": _APPLICATION,
                "name": "plumbline",
            }
        },
        "components": [
            *(_model(model, licence) for model in models),
            *(_data(schema) for _, schema in sorted(schemas.items())),
            *libraries,
        ],
        "dependencies": depends,
    }


def _ref(model: ModelFiles) -> str:
    return f"model:{model.config.model}"


def _model(model: ModelFiles, licence: str) -> dict[str, Any]:
    config = model.config
    generator = config.kind in (names.GENERATOR, names.LANGUAGE)
    parameters: dict[str, Any] = {
        "approach": {"type": "self-supervised" if generator else "supervised"},
        "task": config.kind,
        "modelArchitecture": config.architecture,
        "datasets": [{"ref": f"data:{config.dataset}"}],
    }
    for side in ("inputs", "outputs"):
        if tensors := getattr(config, side):
            parameters[side] = [{"format": _format(tensor)} for tensor in tensors]
    card: dict[str, Any] = {
        "modelParameters": parameters,
        "quantitativeAnalysis": {"performanceMetrics": list(_performance(model))},
    }
    if assessments := list(_assessments(model.audit)):
        card["considerations"] = {"fairnessAssessments": assessments}
    found = {} if (start := config.facts.get("pretrained")) is None else _pedigree(start)
    return {
        **found,
        "type": "machine-learning-model",
        "bom-ref": _ref(model),
        "name": config.model,
        "licenses": [_licence(licence)],
        "hashes": [{"alg": "SHA-256", "content": artifacts.digest(model.weights)}],
        "modelCard": card,
    }


def _pedigree(start: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pretrained weights that a model was fine-tuned from, as its ancestor."""
    ancestor: dict[str, Any] = {
        "type": "machine-learning-model",
        "name": start["source"],
        "description": start["origin"],
        "hashes": [{"alg": "SHA-256", "content": start["sha256"]}],
        "modelCard": {"modelParameters": {"modelArchitecture": start["architecture"]}},
    }
    if start["licence"]:
        ancestor["licenses"] = [_licence(start["licence"])]
    return {"pedigree": {"ancestors": [ancestor]}}


def _performance(model: ModelFiles) -> Iterable[dict[str, Any]]:
    for quantity, estimate in model.metrics["metrics"].items():
        yield from _metric(quantity, estimate)
    for row in model.audit["rows"]:
        if row["attribute"] != names.OVERALL and names.INTERSECTION not in row["attribute"]:
            yield from _metric(row["metric"], row, slice_=f"{row['attribute']}={row['group']}")


def _metric(
    quantity: str, estimate: Mapping[str, Any], *, slice_: str = ""
) -> Iterable[dict[str, Any]]:
    value, low, high = (estimate[key] for key in ("value", "low", "high"))
    if value is None:  # undefined is left out, not written as a number
        return
    found: dict[str, Any] = {"type": quantity, "value": f"{value:.10g}"}
    if slice_:
        found["slice"] = slice_
    if low is not None and high is not None:
        ends = {"lowerBound": f"{low:.10g}", "upperBound": f"{high:.10g}"}
        found["confidenceInterval"] = ends
    yield found


def _assessments(audit: Mapping[str, Any]) -> Iterable[dict[str, str]]:
    for gap in audit["gaps"]:
        if gap["verdict"] == names.DIFFERENCE and gap["comparison"] == "difference":
            yield {
                "groupAtRisk": f"{gap['attribute']}: {gap['lowest']} or {gap['highest']}",
                "harms": f"{gap['metric']} differs by {gap['value']:.4g} between {gap['lowest']} "
                f"(lowest) and {gap['highest']} (highest); whether it does harm depends on the use",
            }


def _data(schema: artifacts.DatasetSchema) -> dict[str, Any]:
    about = schema.about
    data: dict[str, Any] = {"type": "dataset", "name": schema.source}
    if about.get("address"):
        data["contents"] = {"url": quote(about["address"], safe=":/?#[]@!$&'()*+,;=%~")}
    if schema.attributes:
        data["sensitiveData"] = list(schema.attributes)
    component: dict[str, Any] = {
        "type": "data",
        "bom-ref": f"data:{schema.dataset}",
        "name": schema.source,
        "data": [data],
    }
    if about.get("description"):
        component["description"] = about["description"]
    if about.get("licence"):
        component["licenses"] = [{"license": {"name": about["licence"]}}]
    return component


def _library(name: str, version: str) -> dict[str, str]:
    plain = re.sub(r"[-_.]+", "-", name).lower()  # PEP 503, as package URLs want it
    purl = f"pkg:pypi/{plain}@{version}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _licence(text: str) -> dict[str, Any]:
    known = _SPDX.get(text.lower())
    return {"license": {"id": known} if known else {"name": text}}


def _format(tensor: Mapping[str, Any]) -> str:
    shape = ", ".join("any" if size == -1 else str(size) for size in tensor["shape"])
    return f"{tensor['name']}: {tensor['dtype']} ({shape})"
