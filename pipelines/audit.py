"""Compare the groups of a model's predictions: ``python pipelines/audit.py <model>``."""

from plumbline import names, stage


def main(run: stage.Run) -> None:
    """Write the audit as JSON, as a page and as a figure."""
    from plumbline.artifacts import Predictions, read_json, write_json, write_text
    from plumbline.audit.build import predictions_to_audit
    from plumbline.audit.document import audit_to_markdown
    from plumbline.audit.options import AuditOptions, declared_margins
    from plumbline.params.policy import load_policy
    from plumbline.reporting.figures.audit import audit_figure

    model = run.item
    audit = predictions_to_audit(
        Predictions.read(names.PREDICTIONS / f"{model}.parquet"),
        AuditOptions(
            **run.params.audit.options(),
            margins=declared_margins(load_policy().margins),
            seed=run.seed,
        ),
    )
    target = run.out(names.AUDITS / f"{model}.json")
    write_json(target, audit)
    written = read_json(target)  # the page and the figure show what the file says, nulls included
    drawn = names.FIGURES / f"audit_{model}.svg"
    page = audit_to_markdown(written, figure=f"../{names.FIGURES.name}/{drawn.name}")
    write_text(run.out(names.AUDITS / f"{model}.md"), page)
    audit_figure(written, run.out(drawn))
    run.metrics(
        {
            f"gap/{gap['attribute']}/{gap['metric']}": gap["value"]
            for gap in written["gaps"]
            if gap["comparison"] == "difference" and gap["value"] is not None
        }
    )


if __name__ == "__main__":
    stage.execute(main)
