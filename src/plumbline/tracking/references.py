"""References: records of stages that DVC did not repeat, each to the run that made its outputs.

A reference is made from ``dvc.lock`` and the files as they lie there, for stages that are up to
date; whether the store knows the run that made them is found out at delivery (`runs`). Its origin
is *unchanged* if the pipeline before it in the same work tree showed the same lock entry, else
*restored*: DVC, or a checkout, brought the outputs back.
"""

from __future__ import annotations

import csv
import hashlib
import logging
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from plumbline import artifacts, names
from plumbline.monitoring import training
from plumbline.runs import dvc_files, lineage, processes, provenance, record_files, records
from plumbline.runs.record_schema import parse_note

log = logging.getLogger(__name__)


def note_of(home: Path, key: str) -> Path:
    """Return the file of the note on a pipeline that has ended; see `pipelines.settle`."""
    return home / record_files.WORK / "pipelines" / key / "pipeline.json"


def read_note(home: Path, key: str) -> dict[str, Any]:
    """Return the note on a pipeline that has ended; empty if there is none.

    A damaged one is renamed and named in a warning: the pipeline is then noted again.
    """
    path = note_of(home, key)
    if not path.exists():
        return {}
    try:
        return parse_note(path.read_bytes())
    except ValueError as error:
        path.replace(path.with_suffix(".damaged"))
        log.warning(
            "sync: pipeline %s: %s must be a note, got %s; it is noted again", key, path.name, error
        )
        return {}


def note_restored(root: Path, pipeline: Mapping[str, Any]) -> int:
    """Record a pipeline in which DVC ran nothing but took stages from its cache.

    No stage was there to open a record; returns how many stages are referred to.
    """
    home = records.main_tree(root)
    if pipeline["key"] in pipelines_of(home, root):
        return 0
    return make(home, root, root, pipeline, tags=provenance.code_tags(root))


def catch_up(home: Path) -> int:
    """Record what DVC or git brought back into the main work tree without starting a stage.

    A plain ``dvc repro`` that finds every stage in its cache, ``dvc checkout`` and ``dvc exp
    apply`` open no record. They show in ``dvc.lock``: it holds entries that the latest pipeline
    of this work tree did not leave there. Those that are up to date become references in a
    pipeline run of their own. Nothing is done while a pipeline is at work or not yet settled.
    Returns how many stages are referred to.
    """
    newest = latest(home, home)
    if newest is not None and not read_note(home, newest):
        return 0
    shown, locks = shown_by(home, newest), dvc_files.lock_text(home)
    # To parse a lock takes a tenth of the time of a pipeline in which nothing changed.
    compared = hashlib.sha256(artifacts.dump_json([newest, shown, locks]).encode()).hexdigest()
    known = home / record_files.WORK / "caught_up"
    if known.exists() and known.read_text(encoding="utf-8") == compared:
        return 0
    entries = dvc_files.lock(locks)
    if not entries or shown is None:
        return 0
    new = {name for name, entry in entries.items() if shown.get(name) != entry.fingerprint}
    if not new:
        artifacts.write_text(known, compared)
    if not new or not (home / "dvc.yaml").exists():
        return 0
    if not new & {name for name, _, _ in up_to_date(home, home)}:
        return 0
    text = artifacts.dump_json([newest, [entry.fingerprint for entry in entries.values()]])
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    made_by = {**processes.pipeline_of(0), "key": key, "started": None, "what": "restored"}
    return make(home, home, home, made_by, tags=provenance.code_tags(home))


def latest(home: Path, root: Path, *, before: str | None = None) -> str | None:
    """Return the key of the newest pipeline of a work tree, None if there is none.

    With ``before`` that one and all later ones are passed over.
    """
    keys = pipelines_of(home, root)
    if before in keys:
        keys = keys[: keys.index(before)]
    return keys[-1] if keys else None


def pipelines_of(home: Path, root: Path) -> list[str]:
    """Return the keys of all pipelines of a work tree in the order in which they began."""
    began: list[tuple[record_files.Place, str]] = []
    tree = home / record_files.relative(root)
    for one in record_files.summaries(home).values():
        if record_files.tree_at(home, one.root) == tree:
            began += one.attempts
    return list(dict.fromkeys(key for _, key in sorted(began)))


def shown_by(home: Path, key: str | None) -> dict[str, str] | None:
    """Return `records.stage_key` of each stage that a pipeline left finished.

    Empty for no pipeline, None for one whose note does not say.
    """
    if key is None:
        return {}
    shown: dict[str, str] | None = read_note(home, key).get("shown")
    return shown


def make(
    home: Path,
    root: Path,
    tree: Path,
    pipeline: Mapping[str, Any],
    *,
    tags: Mapping[str, str],
    skip: Collection[str] = (),
) -> int:
    """Open and close a reference for every up-to-date stage but ``skip``; return how many.

    Parameters
    ----------
    home : Path
        The main work tree.
    root : Path
        Where the pipeline ran.
    tree : Path
        Where its files are now; not ``root`` if that was deleted.
    pipeline : mapping
        See `processes.pipeline_of`.
    tags : mapping
        `provenance.code_tags` of the pipeline.
    skip : collection of str
        Stages that have a record.
    """
    before = shown_by(home, latest(home, root, before=pipeline["key"])) or {}
    count = 0
    for name, spec, entry in up_to_date(home, tree, skip=skip):
        reference = records.open_record(
            home,
            name,
            origin=records.REFERENCE,
            unchanged=before.get(name) == entry.fingerprint,
            pipeline=dict(pipeline),
            lab=spec.lab,
            cmd=spec.cmd,
            params=entry.params,
            param_digests=provenance.param_digests(entry.params),
            tags=dict(tags),
            deps=entry.deps,
            outs=entry.outs,
            inputs=lineage.data_inputs(spec, entry.deps),
        )
        reference.update(root=record_files.relative(root))
        lineage.keep_outputs(reference, spec, tree, tree)
        training.keep(reference, entry.deps, tree)
        for path in reference.fields["artifacts"]:
            if Path(path).parent == names.HISTORY_DIR:
                _replay(reference, tree / path)
        reference.close(records.FINISHED)
        count += 1
    return count


def up_to_date(
    home: Path, tree: Path, *, skip: Collection[str] = ()
) -> Iterator[tuple[str, dvc_files.StageSpec, dvc_files.LockEntry]]:
    """Yield name, stage and lock entry of the stages whose entry agrees with the files."""
    entries = dvc_files.read_lock(tree)
    hashes: dict[str, str | None] = {}

    def agrees(path: str, digest: str) -> bool:
        if (tree / path).exists():
            if path not in hashes:
                hashes[path] = dvc_files.content_hash(tree / path)
            return hashes[path] == digest
        # The commit of a finished experiment holds no data; DVC's cache does.
        return tree != home and dvc_files.cached(home, digest).exists()

    for name, spec in dvc_files.stages(tree).items():
        entry = entries.get(name)
        if entry is None or name in skip or entry.cmd != spec.cmd:
            continue
        if entry.params != dvc_files.raw_params(tree, spec.params):
            continue
        if all(agrees(*pair) for pair in [*entry.deps.items(), *entry.outs.items()]):
            yield name, spec, entry


def _replay(reference: records.RunRecord, path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            step = int(float(row.pop("step", None) or row.get("epoch") or 0))
            row.pop("epoch", None)
            values = {name: float(cell) for name, cell in row.items() if cell}
            reference.metrics(values, step=step)
