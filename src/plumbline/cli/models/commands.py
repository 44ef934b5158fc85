"""Commands that examine trained models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from plumbline import names
from plumbline.cli.options import (
    HERE,
    MODELS,
    Confidence,
    Decimal,
    Delimiter,
    Encoding,
    Root,
    Thousands,
    dialect,
    model_folder,
    model_reports,
)
from plumbline.errors import ArtifactError

app = typer.Typer()


@app.command(rich_help_panel=MODELS, epilog="Example: plumbline seeds fnn --seeds 64")
def seeds(
    model: Annotated[
        Literal["fnn"], typer.Argument(help="Model of params.yaml; its data must be prepared.")
    ],
    root: Root = HERE,
    number: Annotated[
        int, typer.Option("--seeds", help="Number of seeds, the first that of the pipeline.")
    ] = 16,
    confidence: Confidence = 0.95,
    out: Annotated[
        Path | None, typer.Option(help="JSON file for the result of every seed.")
    ] = None,
) -> None:
    """Train the network of the table from many seeds and print how much its result varies."""
    from plumbline import artifacts
    from plumbline.cli.models import seeds

    with seeds.progress() as progress:
        found = seeds.measure(root, count=number, confidence=confidence, progress=progress)
    typer.echo(seeds.report(found))
    if out is not None:
        artifacts.write_json(out, found)


@app.command(
    rich_help_panel=MODELS,
    epilog="Example: plumbline predict fnn new_patients.csv --out predictions.parquet",
)
def predict(
    model: Annotated[
        str,
        typer.Argument(help="Name in the catalogue, folder of a model, or models:/ address."),
    ],
    file: Annotated[
        Path,
        typer.Argument(help="Table of raw rows, image, text, or folder of images or texts."),
    ],
    root: Root = HERE,
    out: Annotated[
        Path, typer.Option(help="Parquet file for a row of scores and decision per sample.")
    ] = Path("predictions.parquet"),
    reliability: Annotated[
        bool,
        typer.Option(
            "--reliability",
            help="Add how reliable the model was for each row's group, from the audit beside it.",
        ),
    ] = False,
    refuse_unseen: Annotated[
        bool, typer.Option("--refuse-unseen", help="Refuse categories of no training row.")
    ] = False,
    delimiter: Delimiter = None,
    decimal: Decimal = ".",
    thousands: Thousands = None,
    encoding: Encoding = "utf-8",
) -> None:
    """Predict new rows, images or texts of any number with a trained model.

    Without an option for the dialect a CSV is read as the table that the model was trained on.
    """
    from plumbline.artifacts import ModelConfig
    from plumbline.artifacts.plain_text import visible
    from plumbline.compat import torchvision

    folder = model_folder("predict", model, root)
    audit = model_reports("predict", model, folder, root)[1] if reliability else None
    if reliability and audit is None:
        raise ArtifactError(
            f"predict: audit of {folder.name} must be beside the model for --reliability, got none "
            f"in {names.AUDITS}; run plumbline repro audit@{folder.name}, or predict without it"
        )
    given = (delimiter, decimal, thousands, encoding)
    own = None if given == (None, ".", None, "utf-8") else dialect(*given)
    torchvision.install()
    from plumbline.serving.files import predict_file

    with counted("predicted") as progress:
        found = predict_file(
            folder, file, out, dialect=own, refuse_unseen=refuse_unseen, audit=audit,
            progress=progress,
        )  # fmt: skip
    lines = [f"{found.samples:,} prediction{'' if found.samples == 1 else 's'} in {out}"]
    if found.decisions:
        counts = ", ".join(f"{name} {count:,}" for name, count in sorted(found.decisions.items()))
        rule = ModelConfig.read(folder).decision()
        lines += [f"decisions: {counts}", rule.sentence() if rule else _MOST_PROBABLE]
    typer.echo(visible("\n".join(lines), keep="\n"))


_MOST_PROBABLE = "The most probable class is decided."


@contextmanager
def counted(done: str) -> Iterator[Callable[[int], None]]:
    """Show a number of samples on a terminal, "1,000 predicted"; yield what takes it."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), "{task.description}", TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("reading")
        yield lambda samples: bar.update(task, description=f"{samples:,} {done}")
