"""Files of a run: its artifacts and model in the store, and those of its record."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline.runs import dvc_files, record_files, records
from plumbline.runs.findings import RUN_ARTIFACTS, RUN_RECORD, LineageReport
from plumbline.tracking import models, tags
from plumbline.tracking.fetch import fetched_folder
from plumbline.tracking.store import Store

_CURE = "`plumbline sync --rebuild` sends it again"


@dataclass(frozen=True)
class RunFiles:
    """Check of the files of one run.

    Attributes
    ----------
    store : Store
    root : Path
        Work tree, whose DVC cache knows the files of folders.
    run : mlflow.entities.Run
    folder : Path or None
        Of its run record; None if there is none.
    report : LineageReport
    """

    store: Store
    root: Path
    run: Any
    folder: Path | None
    report: LineageReport

    def check(self) -> None:
        """Hash every artifact whose digest the tags claim, the model, and the record's files."""
        name = f"{self.run.data.tags.get('dvc.stage')} run {self.run.info.run_id}"
        record = record_files.read_record(self.folder) if self.folder else None
        with self._fetched(self.run.info.artifact_uri) as folder:
            outs = [tag[4:] for tag in self.run.data.tags if tag.startswith("out.")]
            claimed = [out for out in outs if (folder / out).exists()]
            for out in record["artifacts"] if record else claimed:
                if digest := self._digest(out):
                    self._compare(folder / out, out, digest, f"{name} artifact {out}")
        self._check_models(name, record["model"] if record else None)

    def _check_models(self, name: str, expected: Mapping[str, Any] | None) -> None:
        outputs = self.run.outputs.model_outputs if self.run.outputs else []
        found = [self.store.client.get_logged_model(output.model_id) for output in outputs]
        if expected and self.run.info.status == records.FINISHED and not found:
            note = f"must be logged with its run, got none; {_CURE}"
            self.report.add_broken(RUN_ARTIFACTS, f"{name} model {expected['path']}", note)
        for model in found:
            out = model.tags.get("dvc.path", model.name)
            what = f"{name} model {out} ({model.model_id})"
            digest, claimed = self._digest(out), model.tags.get("plumbline.digest")
            self.report.compare(RUN_ARTIFACTS, f"{what} tag plumbline.digest", digest, claimed)
            with self._fetched(model.artifact_location) as folder:
                self._compare(folder, out, digest, what)

    def _fetched(self, uri: str) -> AbstractContextManager[Path]:
        return fetched_folder(self.store.client.tracking_uri, uri)

    def _digest(self, out: str) -> str:
        return str(self.run.data.tags.get(tags.key("out", out), ""))

    def _compare(self, path: Path, out: str, digest: str, what: str) -> None:
        expected = dvc_files.cached_listing(self.root, digest)
        kept = self.folder / "files" / out if self.folder else None
        if expected is None and kept is not None and kept.is_dir():
            listing = dvc_files.listing(kept)
            expected = listing if dvc_files.folder_hash(listing) == digest else None
        _compare(path, digest, what, RUN_ARTIFACTS, self.report, expected=expected, cure=_CURE)


def check_kept(folder: Path, record: Mapping[str, Any], name: str, report: LineageReport) -> None:
    """Hash the outputs that a run record keeps; they must be those it names."""
    model = [record["model"]["path"]] if record["model"] else []
    for out in [*record["artifacts"], *model]:
        if out in record["outs"]:
            what = f"{name} record {record['key']} file {out}"
            _compare(folder / "files" / out, record["outs"][out], what, RUN_RECORD, report)


def _compare(
    path: Path,
    digest: str,
    what: str,
    check: str,
    report: LineageReport,
    *,
    expected: Mapping[str, str] | None = None,
    cure: str = "",
) -> None:
    end = f"; {cure}" if cure else ""
    if not path.exists():
        report.add_broken(check, what, f"must exist, got none{end}")
        return
    if not path.is_dir():
        report.compare(check, what, digest, dvc_files.content_hash(path), cure)
        return
    files = dvc_files.listing(path).items()
    got = {name: md5 for name, md5 in files if not models.is_description(name)}
    if dvc_files.folder_hash(got) == digest:
        report.add_passed(check, max(len(got), 1))
        return
    differing = dvc_files.compare_listings(expected, got) if expected is not None else []
    for name, difference in differing:
        report.add_broken(check, f"{what} file {name}", f"{difference}{end}")
    if not differing:
        report.compare(check, what, digest, dvc_files.folder_hash(got), cure)
