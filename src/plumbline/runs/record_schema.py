"""Types of what run records hold: a value of another type would stop everything that reads them."""

from __future__ import annotations

import json
import math
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    ValidationError,
)

_LARGEST = 2**63 - 1  # of a store's whole numbers


def _inside(path: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts:
        raise ValueError("must stay inside the work tree")
    return path


_Key = Annotated[str, Field(pattern=r"^[^/\\'\s]+$", max_length=250)]  # a folder, and in queries
_Time = Annotated[int, Field(ge=0, le=_LARGEST)]
_Place = Annotated[int, Field(ge=0, le=_LARGEST)]  # `record_files.next_number`
_Inside = Annotated[str, AfterValidator(_inside)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")


class _Pipeline(_Part):
    key: _Key
    host: str
    space: str = ""
    started: float | None = None


class _Stop(_Part):
    status: str
    error: str | None
    ended: _Time
    pipeline: _Pipeline
    number: _Place = 0
    launched: _Time | None = None


class _Input(_Part):
    name: str
    path: str
    digest: str
    context: str = "input"


class _Model(_Part):
    path: _Inside


class _Record(_Part):
    """``run.json``; see `records.open_record`."""

    key: _Key
    stage: str
    root: str
    origin: Literal["executed", "reference"]
    pipeline: _Pipeline
    pid: int
    pid_started: float | None = None
    status: Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]
    started: _Time
    tags: dict[str, str]
    params: dict[str, Any]
    deps: dict[str, str]
    outs: dict[str, str]
    lab: str = ""
    cmd: str = ""
    begun: _Time = 0
    launched: _Time | None = None
    number: _Place = 0
    ended: _Time | None = None
    error: str | None = None
    attempts: Annotated[int, Field(ge=1)] = 1
    stops: list[_Stop] = []
    param_digests: dict[str, str] = {}
    inputs: list[_Input] = []
    artifacts: list[_Inside] = []
    model: _Model | None = None
    seed: int | None = None
    threads: int | None = None
    environment: str | None = None
    peak_memory: Annotated[int, Field(ge=0, le=_LARGEST)] | None = None


class _Note(_Part):
    """``pipeline.json``; see `plumbline.tracking.pipelines.settle`."""

    shown: dict[str, str] = {}
    changed: dict[str, Any] = {}
    covered: dict[str, str] = {}


class _Delivery(_Part):
    """What ``sync.json`` holds of one store; see `plumbline.tracking.state`."""

    run_id: str | None = None
    status: str | None = None
    offset: Annotated[int, Field(ge=0)] = 0
    undefined: Annotated[int, Field(ge=0)] = 0
    attempts: Annotated[int, Field(ge=1)] = 1
    light: bool = False
    finished: bool = False
    gone: bool = False
    covered: dict[str, str] = {}
    lacking: dict[str, str] = {}
    refused: dict[str, str] = {}


class _Deliveries(RootModel[dict[str, _Delivery]]):
    """``sync.json``, by the identity of the store."""


def parse_record(data: bytes) -> dict[str, Any]:
    """Return a run record from its JSON.

    Raises
    ------
    ValueError
        If it is no JSON or a field is not of its type; the message is one line.
    """
    return _parse(data, _Record)


def parse_note(data: bytes) -> dict[str, Any]:
    """Return the note on a pipeline from its JSON; see `parse_record` for the errors."""
    return _parse(data, _Note)


def parse_deliveries(data: bytes) -> dict[str, dict[str, Any]]:
    """Return the deliveries of a run by store; see `parse_record` for the errors."""
    return _parse(data, _Deliveries)


def _parse(data: bytes, model: type[BaseModel]) -> dict[str, Any]:
    try:
        record = json.loads(data)
        model.model_validate(record)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(ascii(part).strip("'") for part in first["loc"]) or "content"
        raise ValueError(f"{place}: {first['msg']}") from None
    return dict(record)


def parse_metric(line: bytes) -> dict[str, Any] | None:
    """Return a line of ``metrics.jsonl`` as ``{k, v, s, t}``, None if it is no such line.

    Name, value (finite, or None where it is undefined), step and time in milliseconds.
    """
    try:
        value = json.loads(line)
        fits = (
            isinstance(value["k"], str)
            and (value["v"] is None or _is_finite(value["v"]))
            and _is_whole(value["s"], -_LARGEST)
            and _is_whole(value["t"], 0)
        )
    except (ValueError, RecursionError, OverflowError, LookupError, TypeError):
        return None
    return value if fits else None


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(float(value))


def _is_whole(value: Any, least: int) -> bool:
    return type(value) is int and least <= value <= _LARGEST
