"""``plumbline audit``: its options, and what they mean; light to import."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def run(arguments: argparse.Namespace) -> int:
    """Audit a file and print the result, or write it; return the exit code."""
    from plumbline.audit.external.decisions import Columns
    from plumbline.standards import decisions

    attributes = tuple(sorted(filter(None, map(str.strip, arguments.attributes.split(",")))))
    columns: Columns | decisions.Numbers | None = None
    if arguments.regression or arguments.nll is not None:
        _refuse_idle(arguments)
        columns = decisions.Numbers(
            attributes, arguments.label, arguments.decision, arguments.nll, arguments.characters,
            arguments.entity, arguments.weight,
        )  # fmt: skip
    elif arguments.label is not None:
        columns = Columns(
            label=arguments.label,
            attributes=attributes,
            decision=arguments.decision,
            score=arguments.score,
            weight=arguments.weight,
            entity=arguments.entity,
            threshold=arguments.threshold,
        )
    options = decisions.Options(
        columns=columns,
        threshold=arguments.threshold,
        positive=arguments.positive,
        favourable=arguments.favourable,
        multiclass=arguments.multiclass,
        max_order=arguments.intersections,
        confidence=arguments.confidence,
        min_group_size=arguments.min_size,
        min_group_share=arguments.min_share,
        replicates=arguments.replicates,
        seed=arguments.seed,
        memory=arguments.memory,
        search=arguments.search,
    )
    text = decisions.run(
        arguments.table, options, form=arguments.format, out=arguments.out, counts=arguments.counts
    )
    if arguments.out is None:
        sys.stdout.write(text)
    return 0


def _refuse_idle(arguments: argparse.Namespace) -> None:
    """Refuse options that say nothing of numbers, rather than leave them out in silence."""
    from plumbline.errors import DataError

    kind = "--regression" if arguments.regression else "--nll"
    idle = ["score", "threshold", "positive", "favourable", "multiclass", "search", "counts"]
    if not arguments.regression:
        idle += ["weight", "label", "decision"]
    given = [f"--{name}" for name in idle if getattr(arguments, name) not in (None, False, 0)]
    if given:
        raise DataError(
            f"audit: {kind} must stand without options of decisions, got {', '.join(given)}; "
            "leave them out"
        )


def add_arguments(audit: argparse.ArgumentParser) -> None:
    """Give a parser the options of the command."""
    audit.add_argument("table", type=Path, help="CSV or Parquet, one row per decision, any length")
    audit.add_argument("--label", help="column of the truth; none: the file is from --counts")
    audit.add_argument("--decision", help="column of what was decided")
    audit.add_argument("--score", help="column of the probability of the positive class")
    audit.add_argument("--threshold", type=float, help="decide by score >= threshold instead")
    audit.add_argument("--attributes", default="", help="columns to group by: sex,race")
    audit.add_argument("--weight", help="column: how many each row stands for")
    audit.add_argument("--entity", help="column: whose row it is, if one has several")
    audit.add_argument("--positive", help="the value that rates are about; default: favourable, 1")
    audit.add_argument("--favourable", help="the value that is good to get (four-fifths rule)")
    audit.add_argument(
        "--multiclass", action="store_true", help="more than two classes, each against the rest"
    )
    audit.add_argument("--regression", action="store_true", help="label and decision are numbers")
    audit.add_argument("--nll", help="column of a text's negative log-likelihood, in nats")
    audit.add_argument("--characters", help="column of its length; --entity is its document")
    audit.add_argument(
        "--intersections", type=int, nargs="?", const=2, default=2, metavar="ORDER",
        help="up to how many attributes are crossed; default 2, 1 for none",
    )  # fmt: skip
    audit.add_argument(
        "--search", type=int, default=0, metavar="ORDER",
        help="also search all subgroups of up to so many attributes for the most different one",
    )  # fmt: skip
    audit.add_argument("--format", choices=["table", "md", "json", "csv"], default="table")
    audit.add_argument("--out", type=Path, help="write there instead of to the terminal")
    audit.add_argument("--counts", type=Path, help="write the counts, which can be audited again")
    audit.add_argument("--confidence", type=float, default=0.95)
    audit.add_argument("--min-size", type=int, default=10, help="fewer rows are insufficient")
    audit.add_argument("--min-share", type=float, default=0.02, help="a smaller share as well")
    audit.add_argument("--replicates", type=int, default=10_000, help="of draws by chance")
    audit.add_argument("--seed", type=int, default=0, help="of these draws")
    audit.add_argument("--memory", default="2GB", help="that counting may use; the rest is spilled")
