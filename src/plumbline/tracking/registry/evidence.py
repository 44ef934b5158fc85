"""Reports of a model as ``dvc.lock`` records them, and what the rules of the policy say of them."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline import artifacts, catalog, gate, names
from plumbline.errors import ArtifactError, GateError
from plumbline.params.policy import POLICY, load_policy
from plumbline.runs import dvc_files
from plumbline.tracking.models import EVIDENCE

FOLDER = EVIDENCE  # in a logged model: what is attached to its version
CARD, METRICS, AUDIT, AUDIT_PAGE = FILES = ("card.md", "metrics.json", "audit.json", "audit.md")


@dataclass(frozen=True)
class Evidence:
    """What a version is judged by.

    Attributes
    ----------
    model : str
        Name in the catalogue.
    digest, predictions : str
        DVC hashes of the model folder and of the predictions table.
    report, audit : mapping
        Contents of its metrics report and audit.
    judged : tuple of Judgement
        The rules of ``policy.yaml`` about the model.
    files : dict of str to Path
        Card, metrics report and audit by the names under which they are attached.
    """

    model: str
    digest: str
    predictions: str
    report: Mapping[str, Any]
    audit: Mapping[str, Any]
    judged: tuple[gate.Judgement, ...]
    files: dict[str, Path]

    def check_gate(self) -> None:
        """Check that every rule about the model passes or only warns.

        Raises
        ------
        GateError
            If a rule fails or has expired, or if none applies.
        """
        if not any(one.status != gate.IDLE for one in self.judged):
            raise GateError(
                f"register: {POLICY} must have a rule that applies to {self.model!r}, got none; "
                "add one: what no rule is about passes no gate"
            )
        if failed := gate.failure(self.judged):
            raise GateError(
                f"register: model {self.model!r} must pass the gate, got "
                f"{failed.removeprefix('gate: ')}; mend the model, or waive the rule in {POLICY}"
            )


def read(root: Path, model: str, *, today: datetime.date) -> Evidence:
    """Return the evidence about a model of the present ``dvc.lock``.

    Parameters
    ----------
    root : Path
        Work tree.
    model : str
        Name in the catalogue.
    today : date
        Day on which rules and waivers are judged.

    Raises
    ------
    ArtifactError
        If ``dvc.lock`` lacks an output of the model or holds one of another model, or if a report
        is not as it is recorded.
    CatalogError
        If there is no such model.
    """
    spec = catalog.model(model)
    rules = [rule for rule in load_policy(root / POLICY).rules if rule.model == model]
    folder, predictions = names.MODEL_DIR / model, names.PREDICTIONS / f"{model}.parquet"
    reports = {
        CARD: names.CARDS / f"{model}.md",
        METRICS: names.METRICS_DIR / f"{model}.json",
        AUDIT: names.AUDITS / f"{model}.json",
        AUDIT_PAGE: names.AUDITS / f"{model}.md",
    }
    others = {rule.less.model for rule in rules if rule.less}
    compared = [names.METRICS_DIR / f"{other}.json" for other in sorted(others)]
    compared += [names.COMPARISONS / f"{spec.dataset}.json"] if others else []
    lock = _Lock(root)
    lock.check_outputs([folder, predictions, *reports.values(), *compared])
    lock.check_files([*reports.values(), *compared])
    found = gate.check_rules(
        [rule.model_dump(mode="json") for rule in rules], gate.read_reports(root)
    )
    return Evidence(
        model=model,
        digest=lock.digest(folder),
        predictions=lock.digest(predictions),
        report=artifacts.read_json(root / reports[METRICS]),
        audit=artifacts.read_json(root / reports[AUDIT]),
        judged=tuple(gate.judgements(found, today)),
        files={name: root / path for name, path in reports.items()},
    )


class _Lock:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._made = {
            out: (name, entry)
            for name, entry in dvc_files.read_lock(root).items()
            for out in entry.outs
        }

    def digest(self, path: Path) -> str:
        return self._made[path.as_posix()][1].outs[path.as_posix()]

    def check_outputs(self, paths: Iterable[Path]) -> None:
        """Check that outputs are recorded, and were made of what the others are recorded as."""
        for out in [path.as_posix() for path in paths]:
            if out not in self._made:
                raise ArtifactError(
                    f"register: dvc.lock must record {out}, got no entry; run plumbline repro"
                )
            name, entry = self._made[out]
            for dep, digest in entry.deps.items():
                if dep in self._made and self.digest(Path(dep)) != digest:
                    raise ArtifactError(
                        f"register: {out} must be made of the {dep} that dvc.lock records, got "
                        f"another; run plumbline repro {name}"
                    )

    def check_files(self, paths: Iterable[Path]) -> None:
        """Check that the files of outputs are those that are recorded."""
        for path in paths:
            place, stage = self._root / path, self._made[path.as_posix()][0]
            got = dvc_files.content_hash(place) if place.is_file() else None
            if got != self.digest(path):
                what = "other content" if got else "no file"
                raise ArtifactError(
                    f"register: {path.as_posix()} must be as dvc.lock records it, got {what}; run "
                    f"plumbline repro {stage}"
                )
