"""Compute the hiring dilemma and conflicting fairness criteria: ``python pipelines/dilemma.py``."""

from plumbline import catalog, names, stage


def main(run: stage.Run) -> None:
    """Write the options of the hiring tool, and what base rates force on the tabular models."""
    from plumbline.artifacts import Predictions, read_json, write_json, write_text
    from plumbline.audit.counts import predictions_to_contingency
    from plumbline.metrics.intervals.resampling import Resampling
    from plumbline.studies.dilemma.document import audits_impossibility, dilemma_to_markdown
    from plumbline.studies.dilemma.hiring import hiring_options

    options = run.study.dilemma
    audits = {
        model: read_json(names.AUDITS / f"{model}.json")
        for model in catalog.models_of(names.TABULAR)
    }
    document = {
        "hiring": hiring_options(**options.hiring.model_dump(), confidence=options.confidence),
        "impossibility": audits_impossibility(
            audits,
            Resampling(options.confidence, options.bootstrap_replicates, run.seed),
            contingency_of=lambda model: predictions_to_contingency(
                Predictions.read(names.PREDICTIONS / f"{model}.parquet")
            ),
        ),
    }
    target = run.out(names.DILEMMA)
    write_json(target, document)
    page = run.out(names.DILEMMA.with_suffix(".md"))
    write_text(page, dilemma_to_markdown(read_json(target)))


if __name__ == "__main__":
    stage.execute(main)
