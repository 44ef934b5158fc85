"""Audit and document a prepared data set: ``python pipelines/data_audit.py <data set>``."""

from pathlib import Path

from plumbline import names, stage


def main(run: stage.Run) -> None:
    """Write the audit (JSON, page, figure), the datasheet and the Croissant file."""
    from plumbline.artifacts import read_json, write_json, write_text
    from plumbline.data_audit.build import audit_dataset
    from plumbline.data_audit.dataset import AuditedDataset
    from plumbline.data_audit.leaks import leaks
    from plumbline.data_audit.options import DataAuditOptions, DuplicateThresholds
    from plumbline.reporting.data.audit_page import data_audit_figure, data_audit_to_markdown
    from plumbline.reporting.data.datasheet import ANSWERS, document_dataset

    chosen, dataset = run.params.data_audit, run.item
    thresholds = DuplicateThresholds(**chosen.near_duplicate.model_dump())
    settings = {**dict(chosen), "near_duplicate": thresholds, "seed": run.seed}
    del settings["max_leaked_share"]
    reference = settings.pop("reference").get(dataset, {})
    audited = AuditedDataset.read(names.PREPARED / dataset)
    audit = audit_dataset(audited, options=DataAuditOptions(**settings), reference=reference)
    target = run.out(names.DATA_AUDITS / f"{dataset}.json")
    write_json(target, audit)
    written = read_json(target)  # the page and the figure show what the file says, nulls included
    write_text(run.out(names.DATA_AUDITS / f"{dataset}.md"), data_audit_to_markdown(written))
    data_audit_figure(written, run.out(names.FIGURES / f"data_audit_{dataset}.svg"))
    sheet, described = document_dataset(
        names.PREPARED / dataset,
        written,
        answers=Path(ANSWERS),
        maintainer=run.params.card.owner,
        contact=run.params.card.contact,
    )
    write_text(run.out(names.DATASHEETS / f"{dataset}.md"), sheet)
    write_json(run.out(names.DATASHEETS / f"{dataset}.croissant.json"), described)
    found = written["duplicates"]
    run.refusal = leaks(audited, found, max_share=chosen.max_leaked_share)
    run.metrics({f"leaked_share/{kind}": found[kind]["share"] for kind in ("exact", "near")})
    run.metrics({f"proxy/{p['attribute']}": p["value"] for p in written["proxies"]})


if __name__ == "__main__":
    stage.execute(main)
