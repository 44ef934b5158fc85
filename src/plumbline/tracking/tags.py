"""Tags of a run with its origin; some of them follow from its lock entry alone.

`plumbline.verify.lineage` makes them again from the record and from ``dvc.lock`` and compares.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from plumbline.runs import dvc_files, provenance, records

PRUNED = "plumbline.pruned"  # of runs whose record was removed on purpose
LONGEST_TAG = 8000
LONGEST_KEY = 250
_SPELT = {"×": " x ", "+": " plus"}  # signs in the names of gaps and of bands
_UNFIT = re.compile(r"[^\w\-. :/]")


def key(prefix: str, name: str) -> str:
    """Return ``<prefix>.<name>`` as a key that MLflow takes, see `fit`."""
    return fit(f"{prefix}.{name}")


def metric_name(name: str) -> str:
    """Return the name of a metric that MLflow takes, see `fit`; signs of ours are spelt out."""
    if any(word in name for word in _SPELT.values()):  # "a x b" must not become what "a×b" does
        return _marked(name)
    for sign, word in _SPELT.items():
        name = name.replace(sign, word)
    return fit(name)


def fit(name: str) -> str:
    """Return the name of a tag, parameter or metric that MLflow takes.

    MLflow wants at most 250 of word characters, ``- . : /`` and blanks that also read as a plain
    path. A name that must be changed gets a digest of itself at its end, so that two names never
    become one: ``<30`` and ``>30``.
    """
    return name if _fitting(name) == name and len(name) <= LONGEST_KEY else _marked(name)


def _fitting(name: str) -> str:
    parts = _UNFIT.sub("_", name).split("/")
    fitted = "/".join(part if part.strip(".") else "_" for part in parts)
    return f"_{fitted[2:]}" if fitted.startswith("..") else fitted


def _marked(name: str) -> str:
    mark = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{_fitting(name)[: LONGEST_KEY - len(mark) - 1].rstrip('/')}-{mark}"


def shorten(text: str, longest: int = LONGEST_TAG) -> str:
    """Return the text, or its start and a remark of how much was left out.

    File names that are not UTF-8 are surrogates in Python, which no store takes: they are escaped.
    """
    text = text.encode(errors="backslashreplace").decode()
    if len(text) <= longest:
        return text
    remark = f" … [{len(text)} characters; the whole is among the artifacts]"
    return text[: longest - len(remark)] + remark


def title(record: Mapping[str, Any]) -> str:
    """Return the name of a run: its stage, after the laboratory if it has one."""
    lab = record.get("lab")
    return f"{lab}/{record['stage']}" if lab else str(record["stage"])


def of_content(
    deps: Mapping[str, str], param_digests: Mapping[str, str], outs: Mapping[str, str]
) -> dict[str, str]:
    """Return ``dep.<path>``, ``params.<block>`` and ``out.<path>`` with their digests."""
    groups = {"dep": deps, "params": param_digests, "out": outs}
    return {key(prefix, k): v for prefix, group in groups.items() for k, v in group.items()}


def of_entry(entry: dvc_files.LockEntry) -> dict[str, str]:
    """Return the tags that a run must have whose outputs an entry of ``dvc.lock`` records."""
    return of_content(entry.deps, provenance.param_digests(entry.params), entry.outs)


def of_record(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of a run that follow from its record alone."""
    tags = {
        "mlflow.source.name": record.get("cmd", record["stage"]),
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": record["tags"].get("git.commit"),
        "plumbline.key": record["key"],
        "plumbline.seed": record.get("seed"),
        "plumbline.threads": record.get("threads"),
        "environment": record.get("environment"),
        "dvc.stage": record["stage"],
        "plumbline.lab": record.get("lab") or None,
        "dvc.stage_key": records.stage_key(record),
        **record["tags"],
        **of_content(record["deps"], record.get("param_digests", {}), record["outs"]),
    }
    return {name: shorten(str(value)) for name, value in tags.items() if value is not None}
