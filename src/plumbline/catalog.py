"""The catalogue: one `ModelSpec` per model and one `DatasetSpec` per data set.

``catalog.yaml`` beside this module lists them. It is YAML because DVC can track single entries of
such a file as parameters: a stage runs again when its own entry changes, and not when another
model is added.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from importlib import resources
from typing import Any, TypeVar

import yaml

from plumbline.errors import CatalogError

# Stages track their own entries of catalog.yaml.
INFRASTRUCTURE = True


@dataclass(frozen=True)
class DatasetSpec:
    """A prepared data set.

    Attributes
    ----------
    name : str
        Its folder is ``data/prepared/<name>``.
    prepare : str
        ``module:function``; takes the parameters and a seed, returns the prepared data set.
    label : str
        Name in reports.
    inject : bool
        Whether bias can be injected into its training split.
    """

    name: str
    prepare: str
    label: str
    inject: bool = False

    @property
    def params(self) -> str:
        """The block of ``params.yaml``."""
        return f"data_{self.name}"


@dataclass(frozen=True)
class ModelSpec:
    """A model of the pipeline.

    Attributes
    ----------
    name : str
        Its folder is ``data/models/<name>``.
    dataset : str
        The prepared data set that it learns from.
    main_metric : str
        The quantity that it is compared by.
    params : str
        The block of ``params.yaml``.
    fit, predict : str
        ``module:function``.
    label : str
        Name in reports.
    options : mapping
        Further arguments of ``fit``.
    check : str
        ``module:function`` that refuses unfit data before ``fit``; empty for none.
    sample : str
        ``module:function`` that writes samples of a generative model; empty for none.
    start : str
        The model that ``fit`` starts from; empty for none.
    needs : tuple of str
        Other models that ``predict`` reads.
    baseline : str
        The model that reports compare it with; empty for none.
    """

    name: str
    dataset: str
    main_metric: str
    params: str
    fit: str
    predict: str
    label: str
    options: Mapping[str, Any] = field(default_factory=dict)
    check: str = ""
    sample: str = ""
    start: str = ""
    needs: tuple[str, ...] = ()
    baseline: str = ""


_Spec = TypeVar("_Spec", DatasetSpec, ModelSpec)


def models() -> dict[str, ModelSpec]:
    """Return every model by name, in the order of the report."""
    return _read()[1]


def datasets() -> dict[str, DatasetSpec]:
    """Return every data set by name, in the order of the pipeline."""
    return _read()[0]


def model(name: str) -> ModelSpec:
    """Return one model.

    Raises
    ------
    CatalogError
        If there is no such model; the message lists the known ones.
    """
    return _one("model", name, models())


def dataset(name: str) -> DatasetSpec:
    """Return one data set; see `model`."""
    return _one("data set", name, datasets())


def models_of(name: str) -> tuple[str, ...]:
    """Return the names of the models that learn from a data set."""
    return tuple(spec.name for spec in models().values() if spec.dataset == name)


def compared(name: str) -> tuple[str, ...]:
    """Return the names of the models that predict the same test rows of a data set.

    A generator predicts none; its main metric names the extractor that it depends on.
    """
    return tuple(model for model in models_of(name) if "/" not in models()[model].main_metric)


def load(address: str) -> Callable[..., Any]:
    """Import what ``module:function`` names.

    Raises
    ------
    CatalogError
        If there is no such module or function.
    """
    module, _, name = address.partition(":")
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        if isinstance(error, ImportError) and error.name not in (None, module):
            raise
        raise CatalogError(
            f"catalog: function must be module:function of an importable module, got {address!r}"
        ) from error
    return found


def parse(raw: Any) -> tuple[dict[str, DatasetSpec], dict[str, ModelSpec]]:
    """Return the data sets and models of a parsed ``catalog.yaml``.

    Raises
    ------
    CatalogError
        If an entry lacks a field, has an unknown one, or names a data set or model that is not
        listed.
    """
    data = {name: _spec(DatasetSpec, "datasets", name, e) for name, e in raw["datasets"].items()}
    found = {name: _spec(ModelSpec, "models", name, e) for name, e in raw["models"].items()}
    for spec in found.values():
        if spec.dataset not in data:
            raise CatalogError(
                f"catalog: models.{spec.name}.dataset must be one of {', '.join(data)}, got "
                f"{spec.dataset!r}"
            )
        named = {"start": [spec.start], "needs": spec.needs, "baseline": [spec.baseline]}
        for key, others in named.items():
            if unknown := sorted(set(others) - set(found) - {""}):
                raise CatalogError(
                    f"catalog: models.{spec.name}.{key} must name models of the catalogue, got "
                    f"{unknown[0]!r}"
                )
    return data, found


@cache
def _read() -> tuple[dict[str, DatasetSpec], dict[str, ModelSpec]]:
    path = resources.files("plumbline").joinpath("catalog.yaml")
    return parse(yaml.safe_load(path.read_text(encoding="utf-8")))


def _spec(kind: type[_Spec], group: str, name: str, entry: Mapping[str, Any]) -> _Spec:
    known = {f.name for f in fields(kind)} - {"name"}
    if unknown := sorted(set(entry) - known):
        raise CatalogError(
            f"catalog: {group}.{name} must have fields of {', '.join(sorted(known))}, got "
            f"{unknown[0]!r}"
        )
    values: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in entry.items()
    }
    try:
        return kind(name=name, **values)
    except TypeError as error:
        missing = str(error).partition("argument")[2].strip("s: ")
        raise CatalogError(f"catalog: {group}.{name} must have {missing}, got none") from error


def _one(what: str, name: str, known: Mapping[str, _Spec]) -> _Spec:
    if name not in known:
        raise CatalogError(f"catalog: {what} must be one of {', '.join(known)}, got {name!r}")
    return known[name]
