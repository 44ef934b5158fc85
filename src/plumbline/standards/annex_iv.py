"""EU AI Act, Annex IV: which point of the technical documentation is answered by which file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

POINTS = Path(__file__).with_name("annex_iv.yaml")


def annex_iv_index(root: Path, *, model: str, dataset: str, made: set[str]) -> list[dict[str, Any]]:
    """Return every point with the files that answer it and what stays open.

    Parameters
    ----------
    root : Path
        Repository root.
    model, dataset : str
        Fill the paths.
    made : set of str
        Paths that a later stage or this one makes, which need not exist yet.

    Returns
    -------
    list of dict
        ``point, asks, files, missing, open, answered``: ``answered`` is "yes", "in part" where
        something stays open or a file is missing, and "no" where no file answers.
    """
    found = []
    for point in yaml.safe_load(POINTS.read_text(encoding="utf-8")):
        paths = [path.format(model=model, dataset=dataset) for path in point.get("files", [])]
        files = [path for path in paths if path in made or (root / path).exists()]
        missing = [path for path in paths if path not in files]
        whole = not missing and not point.get("open")
        found.append(
            {
                "point": point["point"],
                "asks": point["asks"],
                "files": files,
                "missing": missing,
                "open": point.get("open"),
                "answered": "yes" if whole else "in part" if files else "no",
            }
        )
    return found
