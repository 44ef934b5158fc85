"""The parameters of every stage: one frozen model per block of ``params.yaml``.

There are no defaults here: ``params.yaml`` is the only place that holds a value.
All faults of the file are reported together, unknown keys among them, before any
data are read.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError, model_validator

from plumbline.artifacts import yaml_text
from plumbline.errors import ParamsError
from plumbline.params import escapes
from plumbline.params.blocks import Block
from plumbline.params.data import GlyphData, ImageData, TabularData, TextData
from plumbline.params.models import ModelBlocks, TrainerParams
from plumbline.params.reports import (
    AuditParams,
    CardParams,
    DataAuditParams,
    EvaluateParams,
    ExplainParams,
    RegistryParams,
    ReportParams,
)
from plumbline.params.studies import STUDIES

INFRASTRUCTURE = True
PARAMS = "params.yaml"
_Model = TypeVar("_Model", bound=Block)


class _FirstBlocks(Block):
    """The blocks before those of the models; faults are reported in this order."""

    seed: Annotated[int, Field(ge=0, lt=2**32, strict=True)]
    trainer: TrainerParams
    data_tabular: TabularData
    data_text: TextData
    data_images: ImageData
    data_glyphs: GlyphData


class Params(ModelBlocks, _FirstBlocks):
    """All of ``params.yaml``."""

    evaluate: EvaluateParams
    explain: ExplainParams
    data_audit: DataAuditParams
    audit: AuditParams
    card: CardParams
    report: ReportParams
    registry: RegistryParams

    @model_validator(mode="before")
    @classmethod
    def _optimisation_has_defaults(cls, raw: Any) -> Any:
        """Give each block that has an ``optimisation`` the shared values that it does not set."""
        shared = raw.get("optimisation") if isinstance(raw, dict) else None
        if not isinstance(shared, dict):
            return raw
        return {name: _with_defaults(block, shared) for name, block in raw.items()}

    @model_validator(mode="after")
    def _tables_can_be_audited(self) -> Params:
        table = self.data_tabular
        if table.source == "csv" and table.csv is not None and not table.csv.attributes:
            raise ValueError("data_tabular.csv.attributes must name a column to audit by, got none")
        return self

    @model_validator(mode="after")
    def _pruned_networks_are_whole(self) -> Params:
        for name in ("train_fnn", "train_cnn"):
            epochs = getattr(self, name).regularisation.prune_epochs
            if epochs and self.trainer.strategy == "fsdp":
                raise ValueError(
                    f"{name}.regularisation.prune_epochs must be 0 with strategy fsdp, got {epochs}"
                )
        return self

    @model_validator(mode="after")
    def _image_sizes_are_prepared(self) -> Params:
        wanted = {name: getattr(block, "image_size", None) for name, block in self}
        missing = [k for k, size in wanted.items() if size and size not in self.data_images.sizes]
        if missing:
            raise ValueError(
                f"{', '.join(f'{k}.image_size' for k in missing)} must be one of "
                f"data_images.sizes {list(self.data_images.sizes)}"
            )
        if self.train_cnn.image_size != self.train_gan.image_size:
            raise ValueError(
                f"train_cnn.image_size must be train_gan.image_size "
                f"({self.train_gan.image_size}), got {self.train_cnn.image_size}; "
                "the classifier extracts the features that the generator is measured by"
            )
        return self


def load(path: Path | str = PARAMS) -> Params:
    """Read and check every parameter of the default pipeline.

    Parameters
    ----------
    path : Path or str
        The file, or the root that holds it.

    Raises
    ------
    ParamsError
        If the file is missing, is no YAML mapping, or breaks any rule; the message
        holds one line per fault.
    """
    path = Path(path)
    path = path / PARAMS if path.is_dir() else path
    return check(read_yaml(path, path.name), where=path.name)


def load_study(root: Path, lab: str) -> Block | None:
    """Read and check the parameters of a laboratory; None for the default pipeline, ``""``.

    Raises
    ------
    ParamsError
        As `load`, and if `studies.STUDIES` has no model of the laboratory.
    """
    if not lab:
        return None
    where = f"studies/{lab}/{PARAMS}"
    if lab not in STUDIES:
        raise ParamsError(
            f"{where}: lab must be one of {', '.join(STUDIES) or 'none'}, got {lab!r}; "
            "add its model to plumbline.params.studies"
        )
    return validate(STUDIES[lab], read_yaml(root / where, where), where)


def check(raw: Any, *, where: str = PARAMS) -> Params:
    """Check parsed parameters of the default pipeline; see `load`."""
    return validate(Params, raw, where)


def read_yaml(path: Path, where: str) -> Any:
    """Return the content of a YAML file; ``where`` begins the message of a `ParamsError`."""
    try:
        return yaml_text.parse(path.read_text(encoding="utf-8"), where)
    except FileNotFoundError as error:
        raise ParamsError(f"{where}: file must exist, got none at {path}") from error
    except UnicodeDecodeError as error:
        raise ParamsError(f"{where}: content must be UTF-8, got {error}") from error


def validate(model: type[_Model], raw: Any, where: str) -> _Model:
    """Return parsed parameters as their model, without `escapes`.

    Raises
    ------
    ParamsError
        With a line per fault.
    """
    if not isinstance(raw, dict):
        raise ParamsError(f"{where}: content must be a mapping, got {type(raw).__name__}")
    faults = [
        f"{where}: {place} must have another name; DVC takes results from its run cache without "
        "looking at values of this name. Rename the column or key"
        for place in _ignored(raw)
    ]
    faults += [f"{where}: {fault}" for fault in escapes.faults(raw)]
    try:
        valid = model.model_validate(escapes.changed(raw, escapes.unescaped))
    except ValidationError as error:
        faults += [_fault(dict(item), where) for item in error.errors()]
        raise ParamsError("\n".join(dict.fromkeys(faults))) from error
    if faults:
        raise ParamsError("\n".join(faults))
    return valid


def _ignored(node: Any, place: str = "") -> Iterator[str]:
    """Yield the places of keys that DVC's run cache ignores (`dvc.stage.cache`) at any depth."""
    if isinstance(node, dict):
        for key, value in node.items():
            here = f"{place}.{key}" if place else str(key)
            if key in ("size", "nfiles"):
                yield here
            yield from _ignored(value, here)
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from _ignored(value, f"{place}.{number}")


def _with_defaults(block: Any, shared: dict[str, Any]) -> Any:
    own = block.get("optimisation") if isinstance(block, dict) else None
    return {**block, "optimisation": {**shared, **own}} if isinstance(own, dict) else block


_TYPES = {
    "int_type": "an int", "int_from_float": "an int", "int_parsing": "an int",
    "float_type": "a number", "float_parsing": "a number", "bool_type": "true or false",
    "bool_parsing": "true or false", "string_type": "a string", "tuple_type": "a list",
    "finite_number": "a finite number", "invalid_key": "text as a key",
    **dict.fromkeys(("model_type", "dict_type", "model_attributes_type"), "a mapping"),
    **dict.fromkeys(("date_type", "date_parsing", "date_from_datetime_parsing",
                     "date_from_datetime_inexact"), "a date like 2030-12-31"),
}  # fmt: skip

_SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


def _fault(item: dict[str, Any], where: str) -> str:
    kind, context, got = item["type"], item.get("ctx", {}), item["input"]
    place = ".".join(str(part) for part in item["loc"])
    head = f"{where}: {place}" if place else f"{where}:"
    if kind == "extra_forbidden":
        known = "unknown key, see params.yaml for the known"
        return f"{head} must not be there, got {_short(got)}; {known}"
    if kind == "missing":
        cure = "; take it from the params.yaml or the example of this version"
        return f"{head} must be given, got nothing{cure if where.endswith(PARAMS) else ''}"
    if kind == "value_error":
        return f"{head}{':' if place else ''} {context['error']}"
    if kind in _TYPES:
        rule = _TYPES[kind]
    elif kind == "literal_error":
        rule = f"one of {context['expected']}"
    elif kind in ("too_short", "string_too_short"):
        rule = "not empty"
    else:
        rule = " and ".join(f"{_SIGNS[k]} {v:g}" for k, v in context.items() if k in _SIGNS)
        rule = rule or item["msg"]
    return f"{head} must be {rule}, got {_short(got)}"


def _short(value: Any) -> str:
    """Return how a value is written, shortened: one line of a message must not fill the screen."""
    shown = reprlib.Repr()
    shown.maxlevel, shown.maxstring, shown.maxother = 3, 200, 200
    return shown.repr(value)
