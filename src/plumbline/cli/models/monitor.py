"""The command that compares new rows with the data of a model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from plumbline import names
from plumbline.cli.models.commands import counted
from plumbline.cli.options import (
    HERE,
    MODELS,
    Decimal,
    Delimiter,
    Encoding,
    Root,
    Thousands,
    dialect,
    model_folder,
    model_reports,
)

app = typer.Typer()
_SMALLEST = "Smallest relevant change"


@app.command(
    rich_help_panel=MODELS,
    epilog="Example: plumbline monitor fnn new_patients.csv --label target",
)
def monitor(
    model: Annotated[
        str,
        typer.Argument(help="Name in the catalogue, folder of a model, or models:/ address."),
    ],
    file: Annotated[Path, typer.Argument(help="CSV or Parquet table of raw rows, of any length.")],
    root: Root = HERE,
    label: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column of the true labels: metrics are compared."),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for the report as Markdown, JSON and SVG.")
    ] = Path("monitoring"),
    json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON rather than a summary.")
    ] = False,
    mlflow: Annotated[
        bool, typer.Option(help="Log the report as a run in MLflow's experiment for it.")
    ] = True,
    distance: Annotated[
        float, typer.Option(rich_help_panel=_SMALLEST, help="Of a distribution, 0 to 1.")
    ] = 0.1,
    share: Annotated[
        float, typer.Option(rich_help_panel=_SMALLEST, help="Of shares and metrics from 0 to 1.")
    ] = 0.05,
    relative: Annotated[
        float, typer.Option(rich_help_panel=_SMALLEST, help="Of other metrics, in parts of them.")
    ] = 0.1,
    confidence: Annotated[
        float, typer.Option(help="Confidence level of all intervals of the report at once.")
    ] = 0.95,
    seed: Annotated[int, typer.Option(min=0, help="Seed of draws.")] = 0,
    delimiter: Delimiter = None,
    decimal: Decimal = ".",
    thousands: Thousands = None,
    encoding: Encoding = "utf-8",
) -> None:
    """Compare new rows of a table with the training rows and the test metrics of a model.

    A change is called drifted where its interval lies beyond the smallest relevant change. The exit
    code is 1 if any is, else 0, also where there are too few rows to tell.
    """
    from plumbline import artifacts
    from plumbline.artifacts.plain_text import visible
    from plumbline.compat import torchvision

    folder = model_folder("monitor", model, root)
    report, audit = model_reports("monitor", model, folder, root)
    given = (delimiter, decimal, thousands, encoding)
    own = None if given == (None, ".", None, "utf-8") else dialect(*given)
    torchvision.install()
    from plumbline.monitoring import pages
    from plumbline.monitoring.comparisons import DRIFTED, Smallest
    from plumbline.monitoring.watch import Options, watch

    options = Options(confidence, Smallest(distance, share, relative), label, seed)
    with counted("compared") as progress:
        found = watch(
            folder, file, options, report=report, audit=audit, dialect=own, progress=progress
        )
    pages.write(out, found)
    shown = [pages.summary(found), f"report: {out / pages.PAGE}"]
    if mlflow and (run_id := _log(root, model, found, out)):
        shown.append(f"MLflow run: {run_id}")
    typer.echo(artifacts.dump_json(found) if json else visible("\n".join(shown), keep="\n"))
    if found["verdicts"][DRIFTED]:
        raise typer.Exit(1)


def _log(root: Path, model: str, found: dict[str, Any], out: Path) -> str | None:
    """Log the report where there is a work tree or a server."""
    from plumbline.monitoring import pages
    from plumbline.tracking.model_runs import monitoring

    if not (root / "dvc.yaml").is_file() and "MLFLOW_TRACKING_URI" not in os.environ:
        return None
    tags = {
        "model": found["model"],
        "model.address": model,
        "file": found["file"],
        "verdict": pages.overall(found),
        "mlflow.note.content": pages.page(found),
    }
    files = (pages.PAGE, pages.DATA, pages.FIGURE)
    name = f"{found['model']} · {found['file']}"
    return monitoring.send(
        names.main_tree(root), name, pages.metrics(found), tags, [out / file for file in files]
    )
