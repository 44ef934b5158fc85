"""Files of a run: its artifacts and model in the store, and those of its record."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from plumbline.runs import dvc_files, records
from plumbline.runs.findings import RUN_ARTIFACTS, RUN_RECORD, LineageReport
from plumbline.tracking import models, tags
from plumbline.tracking.store import Store

_CURE = "`plumbline sync --rebuild` sends it again"


def check(
    store: Store,
    home: Path,
    root: Path,
    run: Any,
    record: Mapping[str, Any] | None,
    report: LineageReport,
) -> None:
    """Hash every artifact of a run whose digest its tags claim, and the files of its model.

    Without a run record (``record`` None) only the files of the store are checked.
    """
    thing = f"{run.data.tags.get('dvc.stage')} run {run.info.run_id}"
    with _local(store, run) as folder:
        names = record["artifacts"] if record else _top_outputs(run, folder)
        for name in names:
            digest = run.data.tags.get(tags.key("out", name))
            if digest is not None:
                expected = _listing(home, root, record, name, digest)
                _compare(
                    folder / name,
                    digest,
                    expected,
                    f"{thing} artifact {name}",
                    RUN_ARTIFACTS,
                    report,
                )
    _check_models(store, home, root, run, record, thing, report)


def check_kept(folder: Path, record: Mapping[str, Any], thing: str, report: LineageReport) -> None:
    """Hash the outputs that a run record keeps; they must be those it names."""
    model = [record["model"]["path"]] if record["model"] else []
    for name in [*record["artifacts"], *model]:
        if name in record["outs"]:
            kept = folder / "files" / name
            what = f"{thing} record {record['key']} file {name}"
            _compare(kept, record["outs"][name], None, what, RUN_RECORD, report, cure="")


def _check_models(
    store: Store,
    home: Path,
    root: Path,
    run: Any,
    record: Mapping[str, Any] | None,
    thing: str,
    report: LineageReport,
) -> None:
    outputs = run.outputs.model_outputs if run.outputs else []
    found = [store.client.get_logged_model(output.model_id) for output in outputs]
    if record and record["model"] and record["status"] == records.FINISHED and not found:
        note = f"must be logged with its run, got none; {_CURE}"
        report.add_broken(RUN_ARTIFACTS, f"{thing} model {record['model']['path']}", note)
    for model in found:
        name = model.tags.get("dvc.path", model.name)
        what = f"{thing} model {name} ({model.model_id})"
        digest = run.data.tags.get(tags.key("out", name))
        claimed = model.tags.get("plumbline.digest")
        report.compare(RUN_ARTIFACTS, f"{what} tag plumbline.digest", digest, claimed)
        expected = _listing(home, root, record, name, digest or "")
        with _fetched(store, model.artifact_location) as folder:
            _compare(
                folder, digest or "", expected, what, RUN_ARTIFACTS, report,
                leave_out=models.DESCRIPTION,
            )  # fmt: skip


def _compare(
    path: Path,
    digest: str,
    expected: Mapping[str, str] | None,
    what: str,
    check: str,
    report: LineageReport,
    *,
    leave_out: frozenset[str] = frozenset(),
    cure: str = _CURE,
) -> None:
    end = f"; {cure}" if cure else ""
    if not path.exists():
        report.add_broken(check, what, f"must exist, got none{end}")
        return
    if not path.is_dir():
        report.compare(check, what, digest, dvc_files.content_hash(path), cure)
        return
    got = {name: md5 for name, md5 in dvc_files.listing(path).items() if name not in leave_out}
    if dvc_files.folder_hash(got) == digest:
        report.add_passed(check, max(len(got), 1))
        return
    differing = dvc_files.compare_listings(expected, got) if expected is not None else []
    for name, said in differing:
        report.add_broken(check, f"{what} file {name}", f"{said}{end}")
    if not differing:
        report.compare(check, what, digest, dvc_files.folder_hash(got), cure)


def _listing(
    home: Path, root: Path, record: Mapping[str, Any] | None, name: str, digest: str
) -> dict[str, str] | None:
    """Return the listing of a folder digest, from DVC's cache or the run record."""
    if (listing := dvc_files.cached_listing(root, digest)) is not None:
        return listing
    kept = records.runs_folder(home) / record["key"] / "files" / name if record else None
    if kept is None or not kept.is_dir():
        return None
    listing = dvc_files.listing(kept)
    return listing if dvc_files.folder_hash(listing) == digest else None


def _top_outputs(run: Any, folder: Path) -> list[str]:
    outs = [name.removeprefix("out.") for name in run.data.tags if name.startswith("out.")]
    return [name for name in outs if (folder / name).exists()]


@contextmanager
def _local(store: Store, run: Any) -> Iterator[Path]:
    with _fetched(store, run.info.artifact_uri) as folder:
        yield folder


@contextmanager
def _fetched(store: Store, uri: str) -> Iterator[Path]:
    """Yield a folder with the content of an artifact address; of a local one the place itself."""
    parsed = urlparse(uri)
    if parsed.scheme in ("", "file"):
        yield Path(url2pathname(parsed.path))
        return
    from mlflow import artifacts as remote

    with tempfile.TemporaryDirectory() as scratch:
        got = remote.download_artifacts(
            artifact_uri=uri, dst_path=scratch, tracking_uri=store.client.tracking_uri
        )
        yield Path(got)
