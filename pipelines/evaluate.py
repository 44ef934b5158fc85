"""Predict held-out samples and measure them: ``python pipelines/evaluate.py <model>``."""

from plumbline import catalog, names, stage


def main(run: stage.Run) -> None:
    """Write the predictions table and the metrics report of a model."""
    from plumbline.artifacts import write_json
    from plumbline.inference.explanations.summary import summarise
    from plumbline.metrics.estimates import MetricOptions
    from plumbline.metrics.scores.torch_metrics import with_point_values
    from plumbline.metrics.summary import predictions_to_metrics

    spec, options = catalog.model(run.item), run.params.evaluate
    models = {name: names.MODEL_DIR / name for name in (spec.name, *spec.needs)}
    output = catalog.load(spec.predict)(
        models, names.PREPARED / spec.dataset, options=options, seed=run.seed
    )
    output.predictions.write(run.out(names.PREDICTIONS / f"{spec.name}.parquet"))
    report = predictions_to_metrics(
        output.predictions,
        MetricOptions(**options.options(), seed=run.seed),
        main_metric=spec.main_metric,
        others=output.references,
        extractor_info=output.extractor_info,
    )
    explained = summarise(
        models[spec.name], names.PREPARED / spec.dataset, run.params.explain,
        confidence=options.confidence, seed=run.seed,
    )  # fmt: skip
    report = {**with_point_values(report, output.predictions), **output.facts, **explained}
    write_json(run.out(names.METRICS_DIR / f"{spec.name}.json"), report)
    run.metrics({names.metric(names.TEST, k): v["value"] for k, v in report["metrics"].items()})


if __name__ == "__main__":
    stage.execute(main)
