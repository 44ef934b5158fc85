"""Lineage of registered versions: their model in the store, and the reports attached to it."""

from __future__ import annotations

from plumbline.runs import dvc_files
from plumbline.runs.findings import VERSION_MODEL, LineageReport
from plumbline.tracking.fetch import fetched_folder
from plumbline.tracking.registry import evidence
from plumbline.tracking.registry.description import DIGEST, LOGGED_MODEL, evidence_tag
from plumbline.tracking.store import Store

_CURE = "`plumbline register` attaches it again"


def check(store: Store, report: LineageReport) -> None:
    """Check every version that `plumbline register` made; those of other tools are left alone."""
    from mlflow.exceptions import MlflowException

    client, token = store.client, None
    while True:
        page = client.search_model_versions(
            f"tags.`{DIGEST}` LIKE '%'", max_results=200, page_token=token
        )
        for version in page:
            name = f"version {version.version} of {version.name}"
            model_id = str(version.tags.get(LOGGED_MODEL))
            try:
                logged = client.get_logged_model(model_id)
            except MlflowException as error:
                said = str(error).splitlines()[0]
                note = f"must be in the store, got {said}; delete the version"
                report.add_broken(VERSION_MODEL, f"{name} model {model_id}", note)
                continue
            what, digest = f"{name} tag {DIGEST}", logged.tags.get("plumbline.digest")
            report.compare(VERSION_MODEL, what, digest, version.tags[DIGEST])
            place = f"{logged.artifact_location}/{evidence.FOLDER}"
            with fetched_folder(client.tracking_uri, place) as folder:
                for file in evidence.FILES:
                    path, wanted = folder / file, version.tags.get(evidence_tag(file))
                    got = dvc_files.content_hash(path) if path.is_file() else None
                    report.compare(VERSION_MODEL, f"{name} file {file}", wanted, got, _CURE)
        token = page.token
        if not token:
            return
