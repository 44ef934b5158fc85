"""Measure the individual fairness of a model: ``python pipelines/individual.py <model>``."""

from plumbline import names, stage


def main(run: stage.Run) -> None:
    """Write the consistency of nearest neighbours and the counterfactual attribute changes."""
    from plumbline.artifacts import (
        DatasetSchema,
        Predictions,
        read_json,
        read_split_table,
        write_json,
        write_text,
    )
    from plumbline.audit.individual.document import individual_to_markdown
    from plumbline.audit.individual.fairness import predictions_to_individual
    from plumbline.inference.scoring import scorer
    from plumbline.metrics.intervals.resampling import Resampling

    model, data, options = run.item, names.PREPARED / names.TABULAR, run.study.individual
    schema = DatasetSchema.read(data)
    report = predictions_to_individual(
        Predictions.read(names.PREDICTIONS / f"{model}.parquet"),
        read_split_table(data),
        features=schema.features,
        attribute_features=schema.about.get("attribute_features", {}),
        rescore=scorer(names.MODEL_DIR / model),
        neighbours=options.neighbours,
        options=Resampling(options.confidence, options.bootstrap_replicates, run.seed),
    )
    target = run.out(names.INDIVIDUAL / f"{model}.json")
    write_json(target, report)
    written = read_json(target)
    write_text(run.out(names.INDIVIDUAL / f"{model}.md"), individual_to_markdown(written))
    if written["skipped"] is None:
        quantity = names.metric(names.TEST, names.CONSISTENCY)
        run.metrics({quantity: written["consistency"]["decisions"]["value"]})


if __name__ == "__main__":
    stage.execute(main)
