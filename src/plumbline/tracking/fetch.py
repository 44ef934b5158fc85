"""Downloads: tags, params and trace of one run, and folders of artifacts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

from plumbline.artifacts import traces
from plumbline.errors import ArtifactError
from plumbline.tracking import store


def fetch_trace(home: Path, run_id: str, folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Download the trace of a run, if it has one, and return the run's tags and params.

    Parameters
    ----------
    home : Path
        Main work tree, whose store is asked unless ``MLFLOW_TRACKING_URI`` names another.
    run_id : str
    folder : Path
        Where the trace is saved.

    Raises
    ------
    ArtifactError
        If the store does not answer or has no such run.
    """
    client = store.client_of(home)
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
        for item in client.list_artifacts(run_id):
            if item.path in (traces.FILE, f"{traces.FILE}.gz"):
                client.download_artifacts(run_id, item.path, str(folder))
    except MlflowException as error:
        raise ArtifactError(
            f"diff-runs: run {run_id} must be in the store {store.shown_address(home)}, "
            f"got {str(error).splitlines()[0]}"
        ) from error
    return dict(run.data.tags), dict(run.data.params)


@contextmanager
def fetched_folder(tracking_uri: str, uri: str) -> Iterator[Path]:
    """Yield a folder with the content of an artifact address; of a local one the place itself.

    Parameters
    ----------
    tracking_uri : str
        Of the store that the address is in.
    uri : str
    """
    parsed = urlparse(uri)
    if parsed.scheme in ("", "file"):
        yield Path(url2pathname(parsed.path))
        return
    from mlflow import artifacts as remote

    with tempfile.TemporaryDirectory() as scratch:
        if not remote.list_artifacts(artifact_uri=uri, tracking_uri=tracking_uri):
            yield Path(scratch)  # to download nothing is an error
            return
        got = remote.download_artifacts(
            artifact_uri=uri, dst_path=scratch, tracking_uri=tracking_uri
        )
        yield Path(got)
