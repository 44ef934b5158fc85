"""Arguments that several commands share, and the panels that group the commands in the help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plumbline.errors import ArtifactError

PIPELINE, DATA, MODELS = "Pipeline", "Data and parameters", "Models"
FAIRNESS, PROOF, MLFLOW = "Fairness", "Reproducibility", "MLflow"

Root = Annotated[
    Path,
    typer.Option(
        envvar="DVC_ROOT", resolve_path=True, show_default=False,
        help="Work tree; by default the current folder.",
    ),
]  # fmt: skip
DecisionFile = Annotated[
    Path, typer.Argument(help="CSV or Parquet file with one row per decision, of any length.")
]
Confidence = Annotated[float, typer.Option(help="Confidence level of the intervals.")]


def work_tree(command: str, root: Path) -> Path:
    """Return ``root`` if it is a work tree of the pipeline; nothing is made in another folder.

    Raises
    ------
    ArtifactError
        If it has no ``dvc.yaml``.
    """
    if not (root / "dvc.yaml").is_file():
        raise ArtifactError(
            f"{command}: folder must be a work tree with dvc.yaml, got {root}; go to one or give "
            "it with --root"
        )
    return root


HERE = Path()  # `Root` makes it the current folder when the command runs
