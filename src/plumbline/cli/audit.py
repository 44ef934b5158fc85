"""Commands that compare groups and check reports: audit, standards and gate."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from plumbline import names
from plumbline.cli import options as shared
from plumbline.cli.options import FAIRNESS, HERE, Confidence, DecisionFile, Root

if TYPE_CHECKING:
    from plumbline.audit.external.decisions import Columns
    from plumbline.audit.options import Margin
    from plumbline.standards.decisions import Numbers

app = typer.Typer()

COLUMNS, RATES, VERDICTS = "Columns", "Rates and groups", "Verdicts"
INTERVALS, OUTPUT = "Intervals", "Output"


def _option(panel: str, text: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel, **more)


@app.command(
    rich_help_panel=FAIRNESS,
    epilog="Example: plumbline audit decisions.parquet --label y --decision yhat --score p "
    "--attributes sex,race",
)
def audit(
    context: typer.Context,
    table: DecisionFile,
    label: Annotated[
        str | None, _option(COLUMNS, "Column of the true outcome; without, selection rates only.")
    ] = None,
    decision: Annotated[str | None, _option(COLUMNS, "Column of the decision.")] = None,
    score: Annotated[
        str | None,
        _option(COLUMNS, "Column of the probability of the positive class, or of any score."),
    ] = None,
    attributes: Annotated[str, _option(COLUMNS, "Columns to group by, as in sex,race.")] = "",
    attribute: Annotated[
        list[str] | None, _option(COLUMNS, shared.ATTRIBUTE, metavar="NAME")
    ] = None,
    weight: Annotated[str | None, _option(COLUMNS, "Column of the weights of rows.")] = None,
    entity: Annotated[
        str | None, _option(COLUMNS, "Column of the person or document a row belongs to.")
    ] = None,
    nll: Annotated[
        str | None, _option(COLUMNS, "Column of the negative log-likelihood of a text, in nats.")
    ] = None,
    characters: Annotated[
        str | None, _option(COLUMNS, "Column of its number of characters.")
    ] = None,
    regression: Annotated[
        bool, _option(RATES, "Label and decision are numbers.", "--regression")
    ] = False,
    multiclass: Annotated[
        bool, _option(RATES, "More than two classes, each against the others.", "--multiclass")
    ] = False,
    threshold: Annotated[
        float | None, _option(RATES, "Decide by score >= threshold instead of --decision.")
    ] = None,
    no_calibration: Annotated[
        bool,
        _option(RATES, "Take the score as an order, not as a probability; so are scores outside "
                "[0, 1].", "--no-calibration"),
    ] = False,
    positive: Annotated[
        str | None, _option(RATES, "Positive class; by default the favourable one, or 1.")
    ] = None,
    favourable: Annotated[
        str | None, _option(RATES, "Favourable decision, for the four-fifths rule.")
    ] = None,
    delimiter: shared.Delimiter = None,
    decimal: shared.Decimal = ".",
    thousands: shared.Thousands = None,
    encoding: shared.Encoding = "utf-8",
    intersections: Annotated[
        int, _option(RATES, "Largest number of attributes that are crossed.", metavar="ORDER")
    ] = 2,
    search: Annotated[
        int,
        _option(
            RATES, "Search all subgroups of up to so many attributes for the most different one.",
            metavar="ORDER",
        ),
    ] = 0,
    max_groups: Annotated[
        int,
        _option(RATES, "Largest number of groups of an attribute or intersection; the smallest "
                "ones beyond it are pooled."),
    ] = 500,
    min_size: Annotated[int, _option(RATES, "Fewest cases of a value for a verdict.")] = 10,
    compare_unknown: Annotated[
        bool,
        _option(RATES, "Compare rows without a value of an attribute as a group, too.",
                "--compare-unknown"),
    ] = False,
    reference: Annotated[
        list[str] | None,
        _option(
            VERDICTS, "Compare every group with this one, not all pairs; repeat it per attribute.",
            metavar="[ATTRIBUTE=]GROUP",
        ),
    ] = None,
    margin: Annotated[
        float | None,
        _option(VERDICTS, "Largest difference that counts as practically none; by default those of "
                "policy.yaml in a project, else 0.1 for rates.", show_default=False),
    ] = None,
    ratio_margin: Annotated[
        float | None,
        _option(VERDICTS, "Smallest ratio that counts as practically 1; by default those of "
                "policy.yaml in a project, else 0.8 for rates.", show_default=False),
    ] = None,
    confidence: Annotated[float, _option(INTERVALS, "Confidence level of the intervals.")] = 0.95,
    replicates: Annotated[int, _option(INTERVALS, "Number of bootstrap replicates.")] = 10_000,
    seed: Annotated[int, _option(INTERVALS, "Seed of the replicates.")] = 0,
    memory: Annotated[
        str, _option(INTERVALS, "Memory for counting; the rest is kept on disk.")
    ] = "2GB",
    form: Annotated[
        Literal["table", "md", "json", "csv"], _option(OUTPUT, "Format of the audit.", "--format")
    ] = "table",
    full: Annotated[
        bool,
        _option(OUTPUT, "Print every value, gap, reason and note, not only a summary.", "--full"),
    ] = False,
    pairs: Annotated[
        bool, _option(OUTPUT, "Print all, and every pair of groups with its interval.", "--pairs")
    ] = False,
    plan: Annotated[
        bool,
        _option(OUTPUT, "Say how many rows per group would settle what is inconclusive.", "--plan"),
    ] = False,
    out: Annotated[Path | None, _option(OUTPUT, "File to write instead of the terminal.")] = None,
    counts: Annotated[
        Path | None, _option(OUTPUT, "Parquet file for the counts, which can be audited again.")
    ] = None,
) -> None:  # fmt: skip
    """Compare groups in a table of decisions made by people, by a model or by rules."""
    from plumbline.audit.external.decisions import Columns
    from plumbline.audit.options import AuditOptions
    from plumbline.standards import decisions

    by = tuple(sorted(shared.group_columns("audit", attributes, attribute)))
    columns: Columns | Numbers | None = None
    if regression or nll is not None:
        _refuse_unused(context.params)
        columns = decisions.Numbers(by, label, decision, nll, characters, entity, weight)
    elif by or (label, decision, score) != (None, None, None):
        columns = Columns(label, by, decision, score, weight, entity, threshold, not no_calibration)
    options = decisions.Options(
        columns=columns,
        threshold=threshold,
        positive=positive,
        favourable=favourable,
        multiclass=multiclass,
        audit=AuditOptions(
            confidence=confidence,
            replicates=replicates,
            seed=seed,
            min_group_size=min_size,
            max_order=intersections,
            margins=_margins(margin, ratio_margin),
            reference=shared.reference_groups(reference or []),
            pairs=pairs,
            compare_unknown=compare_unknown,
        ),
        memory=memory,
        dialect=shared.dialect(delimiter, decimal, thousands, encoding),
        search=search,
        most_groups=max_groups,
        plan=plan,
    )
    text = decisions.run(table, options, form=form, out=out, counts=counts, full=full or pairs)
    if out is None:
        typer.echo(text, nl=False)


def _margins(difference: float | None, ratio: float | None) -> tuple[Margin, ...]:
    """Return margins that were asked for, then those of the project, else of the library."""
    from plumbline.audit.options import MARGINS, Margin, declared_margins
    from plumbline.params.policy import POLICY, load_policy

    asked = [
        Margin(names.COMPARED, comparison, value, "command line")
        for comparison, value in (("difference", difference), ("ratio", ratio))
        if value is not None
    ]
    project = all(Path(name).is_file() for name in (POLICY, "params.yaml", "dvc.yaml"))
    known = declared_margins(load_policy().margins) if project else MARGINS
    return (*asked, *known)


def _refuse_unused(given: dict[str, Any]) -> None:
    """Refuse options that have no meaning for numbers."""
    from plumbline.errors import DataError

    kind = "--regression" if given["regression"] else "--nll"
    unused = ["score", "threshold", "positive", "favourable", "multiclass", "search", "counts"]
    if not given["regression"]:
        unused += ["weight", "label", "decision"]
    named = [f"--{name}" for name in unused if given[name] not in (None, False, 0)]
    if named:
        raise DataError(
            f"audit: {kind} must stand without options of decisions, got {', '.join(named)}; "
            "leave them out"
        )


@app.command(
    rich_help_panel=FAIRNESS,
    epilog="Example: plumbline standards decisions.csv --decision hired --label fit "
    "--attributes sex,race",
)
def standards(
    table: DecisionFile,
    decision: Annotated[str, typer.Option(help="Column of the decision.")],
    attributes: Annotated[str, typer.Option(help="Columns to group by, as in sex,race.")] = "",
    attribute: shared.AttributeColumns = None,
    label: Annotated[str | None, typer.Option(help="Column of the true outcome.")] = None,
    score: Annotated[str | None, typer.Option(help="Column of the score, any number.")] = None,
    positive: Annotated[
        str | None, typer.Option(help="Decision that is a selection; by default 1 or true.")
    ] = None,
    weight: Annotated[
        str | None, typer.Option(help="Column of the weights of rows, used for errors only.")
    ] = None,
    entity: Annotated[
        str | None, typer.Option(help="Column of the person a row belongs to.")
    ] = None,
    sex: Annotated[str, typer.Option(help="Attribute that holds the sex.")] = "sex",
    race: Annotated[str, typer.Option(help="Attribute that holds race or ethnicity.")] = "race",
    unknown: Annotated[
        list[str] | None, typer.Option(help="Value that stands for an unknown attribute.")
    ] = None,
    confidence: Confidence = 0.95,
    delimiter: shared.Delimiter = None,
    decimal: shared.Decimal = ".",
    thousands: shared.Thousands = None,
    encoding: shared.Encoding = "utf-8",
) -> None:
    """Print the compliance worksheets for a table of decisions."""
    from plumbline.standards.document import worksheets_to_markdown
    from plumbline.standards.own_table import file_worksheets
    from plumbline.standards.worksheets import Categories

    sheets = file_worksheets(
        table,
        decision=decision,
        label=label,
        score=score,
        attributes=shared.group_columns("standards", attributes, attribute),
        positive=positive,
        weight=weight,
        entity=entity,
        categories=Categories(sex, race, tuple(unknown or ())),
        confidence=confidence,
        dialect=shared.dialect(delimiter, decimal, thousands, encoding),
    )
    title = f"Compliance worksheets of {table.name}"
    typer.echo(worksheets_to_markdown(sheets, title=title), nl=False)


@app.command(rich_help_panel=FAIRNESS, epilog="Example: plumbline gate --on 2030-01-31")
def gate(
    root: Root = HERE,
    on: Annotated[
        datetime.datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], metavar="YYYY-MM-DD",
            help="Day for which rules and waivers are evaluated; by default today.",
        ),
    ] = None,
    warnings_fail: Annotated[
        bool, typer.Option("--warnings-fail", help="Exit with code 8 if a rule warns, too.")
    ] = False,
) -> None:  # fmt: skip
    """Check the reports against the rules of the policy."""
    from plumbline import gate
    from plumbline.errors import GateError
    from plumbline.params.policy import load_policy
    from plumbline.reporting.gate_table import show_gate

    rules = load_policy(root / "policy.yaml").rules
    dumps = [rule.model_dump(mode="json") for rule in rules]
    report = gate.check_rules(dumps, gate.read_reports(root))
    day = on.date() if on else datetime.date.today()
    judged = gate.judgements(report, day)
    show_gate(judged, day)
    if failed := gate.failure(judged, warnings_fail=warnings_fail):
        raise GateError(failed)
