"""Files of fitted scikit-learn estimators: skops, with equal bytes for equal estimators.

The file is a zip archive of JSON and arrays, and nothing of it is unpickled. skops names every
object by its address in memory and stamps the time of writing: both are replaced, or DVC would see
another file after each run.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, ZipInfo

from plumbline.artifacts.files import atomic, existing
from plumbline.errors import ArtifactError

# Types that the classical models hold and that skops does not trust by itself. Their code calls
# nothing that a file names. skops checks types, not arrays: a forged tree can crash the process.
TRUSTED = (
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
_SCHEMA = "schema.json"


def save_estimator(path: Path, estimator: Any) -> None:
    """Write a fitted estimator; the same estimator gives the same bytes in every process."""
    from skops import io as skops

    content = _canonical(skops.dumps(estimator))
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def load_estimator(path: Path) -> Any:
    """Read a fitted estimator.

    Raises
    ------
    ArtifactError
        If there is no such file, it is no skops file, or it holds a type that is neither one of
        `TRUSTED` nor one that skops trusts.
    """
    from skops import io as skops
    from skops.io.exceptions import UntrustedTypesFoundException

    where = f"{path.parent.name}/{path.name}"
    content = existing(path).read_bytes()
    try:
        return skops.loads(content, trusted=list(TRUSTED))
    except UntrustedTypesFoundException as error:
        unknown = sorted(set(skops.get_untrusted_types(data=content)) - set(TRUSTED))
        raise ArtifactError(
            f"{where}: types must be those of the classical models, got {', '.join(unknown)}; "
            "do not use a file of unknown origin"
        ) from error
    except (BadZipFile, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{where}: content must be a skops file, got: {error}") from error


def _canonical(content: bytes) -> bytes:
    """Return a skops file with objects numbered by appearance and without the time of writing."""
    numbers: dict[int, int] = {}
    files: dict[str, str] = {}

    def renumber(node: dict[str, Any]) -> dict[str, Any]:
        if "__id__" in node:
            node["__id__"] = numbers.setdefault(node["__id__"], len(numbers))
        if isinstance(node.get("file"), str):
            node["file"] = files.setdefault(node["file"], f"{len(files)}.npy")
        return node

    buffer = io.BytesIO()
    with ZipFile(io.BytesIO(content)) as old, ZipFile(buffer, "w") as new:
        schema = json.loads(old.read(_SCHEMA), object_hook=renumber)
        for name, renamed in files.items():
            new.writestr(ZipInfo(renamed), old.read(name))
        new.writestr(ZipInfo(_SCHEMA), json.dumps(schema))
    return buffer.getvalue()
