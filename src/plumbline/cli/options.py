"""Arguments that several commands share, and the panels that group the commands in the help."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plumbline.errors import ArtifactError, DataError

if TYPE_CHECKING:
    from plumbline.table_files import Dialect

PIPELINE, DATA, MODELS = "Pipeline", "Data and parameters", "Models"
FAIRNESS, PROOF, MLFLOW = "Fairness", "Reproducibility", "MLflow"

Root = Annotated[
    Path,
    typer.Option(
        envvar="DVC_ROOT", resolve_path=True, show_default=False,
        help="Work tree; by default the current folder.",
    ),
]  # fmt: skip
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs", "-j", min=1, metavar="N", show_default=False,
        help="Stages at once; by default as many as the processors hold, each with the "
        "threads that trainer.threads says. 1: one after another.",
    ),
]  # fmt: skip
DecisionFile = Annotated[
    Path, typer.Argument(help="CSV or Parquet file with one row per decision, of any length.")
]
ATTRIBUTE = "Another column to group by, whatever signs its name has; repeat it for more."
AttributeColumns = Annotated[list[str] | None, typer.Option(metavar="NAME", help=ATTRIBUTE)]
Confidence = Annotated[float, typer.Option(help="Confidence level of the intervals.")]

_CSV = "Dialect of a CSV"
Delimiter = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=_CSV, show_default="detected",
        help="Character between fields, such as ';' or tab.",
    ),
]  # fmt: skip
Decimal = Annotated[
    str, typer.Option(rich_help_panel=_CSV, help="Sign before the fraction of a number, . or ,")
]
Thousands = Annotated[
    str | None,
    typer.Option(rich_help_panel=_CSV, help="Sign between groups of three digits, as in 1.234,5"),
]
Encoding = Annotated[
    str,
    typer.Option(rich_help_panel=_CSV, help="Encoding of a file without a byte-order mark."),
]


def dialect(delimiter: str | None, decimal: str, thousands: str | None, encoding: str) -> Dialect:
    """Return the dialect of a CSV; the word ``tab`` stands for the tab.

    Raises
    ------
    DataError
        If a value is not one that a dialect may have.
    """
    from plumbline.table_files import Dialect

    named = {"tab": "\t", "\\t": "\t"}  # shells make it hard to give the tab itself
    delimiter = None if delimiter is None else named.get(delimiter.lower(), delimiter)
    return Dialect(delimiter, encoding, decimal, thousands)


def group_columns(command: str, listed: str, named: list[str] | None) -> tuple[str, ...]:
    """Return the columns to group by: those of a list like ``sex,race``, and single names.

    Raises
    ------
    DataError
        If a column is named twice.
    """
    found = (*filter(None, map(str.strip, listed.split(","))), *(named or ()))
    if twice := sorted({name for name in found if found.count(name) > 1}):
        raise DataError(
            f"{command}: attributes must be different columns, got {', '.join(twice)} twice; name "
            "each column once"
        )
    return found


def reference_groups(given: list[str]) -> dict[str, str] | str | None:
    """Return reference groups by attribute, or one group for every attribute that has it."""
    found = dict(one.split("=", 1) for one in given if "=" in one)
    bare = [one for one in given if "=" not in one]
    if len(bare) > 1 or (bare and found) or len(found) + len(bare) < len(given):
        raise DataError(
            f"audit: --reference must be one group, or ATTRIBUTE=GROUP once for each attribute, "
            f"got {', '.join(given)}"
        )
    return bare[0] if bare else found or None


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


def model_folder(command: str, model: str, root: Path) -> Path:
    """Return the folder of a model by its name, its path or its address in MLflow.

    Raises
    ------
    ArtifactError
        If there is none.
    """
    from plumbline import catalog, names

    if model.startswith("models:/"):
        from plumbline.tracking import models

        return models.download(root, model, where=command)
    for folder in (root / names.MODEL_DIR / model, Path(model)):
        if (folder / "config.json").is_file():
            return folder
    if model in catalog.models():
        raise ArtifactError(
            f"{command}: model {model!r} must be trained, got nothing in "
            f"{names.MODEL_DIR / model}; run plumbline repro train@{model}"
        )
    raise ArtifactError(
        f"{command}: model must be one of {', '.join(catalog.models())}, a model folder or an "
        f"address such as models:/<id>, got {model!r}"
    )


def model_reports(
    command: str, model: str, folder: Path, root: Path
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return the metrics report and the audit of a model, None for what is not there.

    They are those beside its folder in a work tree, or those of its newest run in MLflow.

    Parameters
    ----------
    command : str
        Prefix of error messages.
    model : str
        As it was given to `model_folder`, which found the ``folder``.
    folder, root : Path

    Raises
    ------
    ArtifactError
        If a report is of another state of the model, or the store does not answer.
    """
    if model.startswith("models:/"):
        from plumbline.tracking.model_runs import monitoring

        found = monitoring.fetch_reports(root, folder, where=command)
        return (dict(found.report) or None, dict(found.audit) or None) if found else (None, None)
    from plumbline import names
    from plumbline.serving.beside import report_beside

    report, audit = (
        report_beside(folder, kind, where=command) for kind in (names.METRICS_DIR, names.AUDITS)
    )
    return report, audit


HERE = Path()  # `Root` makes it the current folder when the command runs
