"""The ``plumbline`` command: the pipeline with a progress display, its mirror, its proof.

Every import that takes time sits inside the command that needs it.
"""

from __future__ import annotations

import argparse
import datetime
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from plumbline.cli import audit
from plumbline.errors import PlumblineError


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; errors of ours are one line each."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    arguments, rest = _parser().parse_known_args(argv)
    if rest and arguments.command != "repro":
        _parser().error(f"unrecognized arguments: {' '.join(rest)}")
    arguments.rest = rest
    try:
        code: int = arguments.run(arguments)
    except PlumblineError as error:
        logging.getLogger(__name__).error("%s", error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return code


def _repro(arguments: argparse.Namespace) -> int:
    from plumbline.cli import repro

    return repro.run(_root(arguments), [*arguments.dvc_arguments, *arguments.rest])


def _sync(arguments: argparse.Namespace) -> int:
    from plumbline.runs import records

    home = records.runs_folder(_root(arguments)).parent.parent
    if arguments.follow:
        from plumbline.tracking import sync as mirror

        os.nice(5)  # stages that are still training come first
        mirror.follow(home)
        return 0
    from plumbline.tracking import store
    from plumbline.tracking import sync as mirror

    outcome = mirror.sync(home, rebuild=arguments.rebuild)
    log = logging.getLogger(__name__)
    if outcome.down:
        log.error("sync: store must answer, got %s; start it and sync again", outcome.down)
        return 1
    log.info(
        "%s: %d pipelines running, %d waiting, %d refused",
        store.address(home), outcome.live, outcome.waiting, outcome.refused,
    )  # fmt: skip
    return 1 if outcome.refused else 0


def _ui(arguments: argparse.Namespace) -> int:
    from plumbline.cli import doctor

    return doctor.serve_ui(_root(arguments), port=arguments.port)


def _doctor(arguments: argparse.Namespace) -> int:
    from plumbline.cli import doctor

    if arguments.prune is not None:
        return doctor.prune(_root(arguments), days=arguments.prune)
    return doctor.examine(_root(arguments))


def _summary(arguments: argparse.Namespace) -> int:
    from plumbline.cli import summary

    summary.show(_root(arguments))
    return 0


def _gate(arguments: argparse.Namespace) -> int:
    from plumbline import gate, params
    from plumbline.errors import GateError

    root = _root(arguments)
    rules = params.load(root / "params.yaml").gate.rules
    metrics, audits = gate.read_reports(root)
    dumps = [rule.model_dump(mode="json") for rule in rules]
    report = gate.check_rules(dumps, metrics=metrics, audits=audits)
    day = arguments.on or datetime.date.today()
    judged = gate.judgements(report, day)
    gate.show(judged, day)
    if failed := gate.failure(judged):
        raise GateError(failed)
    return 0


def _standards(arguments: argparse.Namespace) -> int:
    from plumbline.standards.document import sheets_to_markdown
    from plumbline.standards.own_table import file_sheets
    from plumbline.standards.sheets import Categories

    sheets = file_sheets(
        arguments.table,
        decision=arguments.decision,
        label=arguments.label,
        score=arguments.score,
        attributes=arguments.attributes.split(","),
        positive=arguments.positive,
        weight=arguments.weight,
        entity=arguments.entity,
        categories=Categories(arguments.sex, arguments.race, tuple(arguments.unknown or ())),
        confidence=arguments.confidence,
    )
    print(sheets_to_markdown(sheets, title=f"Standards sheets of {arguments.table.name}"), end="")
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    from plumbline import artifacts
    from plumbline.inference.explain import explain

    found = explain(arguments.model, arguments.data, nodes=arguments.nodes, of=arguments.of)
    print(f"{len(found.table)} test rows, {found.output}, from the mean training row")
    print(found.importance().to_string(index=False, float_format="{:.4g}".format))
    print(f"largest completeness gap {found.gap:.1e}, standard deviation {found.spread:.3g}")
    if arguments.out is not None:
        artifacts.write_text(arguments.out, found.table.to_csv(index=False))
    return 0


def _vega(arguments: argparse.Namespace) -> int:
    from plumbline.cli import vega

    logging.getLogger(__name__).info("%s", vega.write(_root(arguments)))
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    if arguments.what == "links":
        from plumbline.verify import lineage

        return lineage.run(_root(arguments), form=arguments.format)
    from plumbline.verify import reproduce as verify

    return verify.run(
        _root(arguments), overlay=arguments.params, clones=arguments.clones, keep=arguments.keep
    )


def _data(arguments: argparse.Namespace) -> int:
    from plumbline.cli import data as commands

    root = _root(arguments)
    if arguments.action == "list":
        commands.show_sources(root)
    elif arguments.action == "fetch":
        commands.fetch_source(arguments.name, root, accepted=arguments.accept_digest)
    else:
        commands.check_source(arguments.name, root)
    return 0


def _diff_runs(arguments: argparse.Namespace) -> int:
    from plumbline.verify import diff_runs

    words = (arguments.first, arguments.second)
    return diff_runs.run(_root(arguments), words, stage=arguments.stage, form=arguments.format)


def _params(arguments: argparse.Namespace) -> int:
    from plumbline import params
    from plumbline.params import apply

    path = _root(arguments) / "params.yaml"
    if arguments.action == "lay":
        apply.lay(path, arguments.files)
        return 0
    params.load(path)
    logging.getLogger(__name__).info("params.yaml: every parameter keeps its rule")
    return 0


def _seeds(arguments: argparse.Namespace) -> int:
    from plumbline import artifacts
    from plumbline.cli import seeds

    found = seeds.measure(
        _root(arguments), count=arguments.seeds, confidence=arguments.confidence,
        progress=seeds.Bar(),
    )  # fmt: skip
    print(seeds.report(found))
    if arguments.out is not None:
        artifacts.write_json(arguments.out, found)
    return 0


def _root(arguments: argparse.Namespace) -> Path:
    return Path(arguments.root or os.environ.get("DVC_ROOT") or Path.cwd()).resolve()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="plumbline", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    def add(name: str, run: object, about: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=about, description=about)
        command.add_argument("--root", type=Path, help="work tree; default: the current folder")
        command.set_defaults(run=run)
        return command

    repro = add("repro", _repro, "run the pipeline, wait for its mirror, print the models")
    repro.add_argument("dvc_arguments", nargs="*", help="passed on to dvc repro")
    sync = add("sync", _sync, "deliver runs that MLflow has not got yet")
    sync.add_argument("--follow", action="store_true", help="go on until the pipeline has ended")
    sync.add_argument("--rebuild", action="store_true", help="make lost runs again")
    interface = add("ui", _ui, "serve the MLflow UI on the store of this work tree")
    interface.add_argument("--port", type=int, default=5580)
    doctor = add("doctor", _doctor, "show environment and store, close runs whose process died")
    doctor.add_argument(
        "--prune", type=float, metavar="DAYS",
        help="only remove delivered journals older than this that dvc.lock does not link to",
    )  # fmt: skip
    add("summary", _summary, "print the table of models")
    add("vega", _vega, "write the drawing library that the pages of dvc plots load")
    params = add("params", _params, "check params.yaml, or write the values of files into it")
    params.add_argument("action", choices=["check", "lay"])
    params.add_argument("files", nargs="*", type=Path, help="to lay: YAML like that of examples/")
    many = add("seeds", _seeds, "fit the network of the table from many seeds: how far they spread")
    many.add_argument("model", choices=["fnn"], help="as params.yaml has it; its data are prepared")
    many.add_argument("--seeds", type=int, default=16, help="how many, the pipeline's own first")
    many.add_argument("--confidence", type=float, default=0.95, help="of the interval of the mean")
    many.add_argument("--out", type=Path, help="write every seed's result there, as JSON")
    policy = add("gate", _gate, "hold the reports against the policy of params.yaml")
    policy.add_argument(
        "--on", type=datetime.date.fromisoformat, metavar="YYYY-MM-DD",
        help="judge rules and waivers as of this day; default: today",
    )  # fmt: skip
    data = add("data", _data, "list, fetch and check the sources of data")
    actions = data.add_subparsers(dest="action", required=True, metavar="action")
    actions.add_parser("list", help="print every source with its licence and raw files")
    fetch = actions.add_parser("fetch", help="download, verify and unpack a source's raw files")
    fetch.add_argument("name")
    fetch.add_argument(
        "--accept-digest", action="append", default=[], metavar="SHA256",
        help="take a file that has no pinned sha256 if this is its digest",
    )  # fmt: skip
    check = actions.add_parser("check", help="check a source's raw files, or digest a path")
    check.add_argument("name", help="a source, or the path of a file or folder of your own")
    audit.add_arguments(
        add("audit", audit.run, "compare groups in a table of decisions, whoever made them")
    )
    sheets = add("standards", _standards, "print the sheets of standards for a table of decisions")
    sheets.add_argument("table", type=Path, help="CSV or Parquet, one row per decision, any length")
    sheets.add_argument("--decision", required=True, help="column of decisions")
    sheets.add_argument("--label", help="column of true outcomes")
    sheets.add_argument("--score", help="column of scores, in [0, 1]")
    sheets.add_argument("--positive", help="the decision that is a selection; default: 1 or true")
    sheets.add_argument("--attributes", required=True, help="columns to group by: sex,race")
    sheets.add_argument("--weight", help="column: how many each row stands for, in errors alone")
    sheets.add_argument("--entity", help="column: whose row it is")
    sheets.add_argument("--sex", default="sex", help="the attribute that holds sex")
    sheets.add_argument("--race", default="race", help="the attribute that holds race or ethnicity")
    sheets.add_argument("--unknown", action="append", help="a value that means: not known")
    sheets.add_argument("--confidence", type=float, default=0.95, help="of intervals")
    explain = add("explain", _explain, "print what a feed-forward network made of each feature")
    explain.add_argument("model", type=Path, help="its folder: data/models/fnn")
    explain.add_argument("data", type=Path, help="its prepared table: data/prepared/tabular")
    explain.add_argument("--of", help="class whose log-odds are explained; default: second of two")
    explain.add_argument("--nodes", type=int, default=200, help="of the quadrature")
    explain.add_argument("--out", type=Path, help="write every row's attributions there, as CSV")
    verify = add("verify", _verify, "run the pipeline in clean clones and compare every output")
    verify.add_argument(
        "what", nargs="?", choices=["links"],
        help="links: run nothing, walk from dvc.lock to files, runs, journals and back",
    )  # fmt: skip
    verify.add_argument("--format", choices=["table", "json"], default="table", help="of links")
    verify.add_argument("--params", type=Path, help="YAML laid over params.yaml in the clones")
    verify.add_argument("--clones", type=int, choices=[1, 2], default=1)
    verify.add_argument("--keep", action="store_true", help="leave the clones for inspection")
    differ = add("diff-runs", _diff_runs, "name the first step at which two traced runs part")
    for name in ("first", "second"):
        differ.add_argument(
            name, help="run key or its start, journal, trace file, work tree, MLflow run id"
        )
    differ.add_argument("--stage", help="which stage, where a work tree is named")
    differ.add_argument("--format", choices=["text", "json"], default="text")
    return parser


if __name__ == "__main__":
    sys.exit(main())
