"""Compare models on the same test rows: ``python pipelines/compare.py <data set>``."""

from plumbline import catalog, names, stage


def main(run: stage.Run) -> None:
    """Write every difference of two models with its paired interval."""
    from plumbline.artifacts import Predictions, write_json
    from plumbline.metrics.comparison.differences import predictions_to_comparison
    from plumbline.metrics.estimates import MetricOptions

    models = catalog.compared(run.item)
    report = predictions_to_comparison(
        [
            variant
            for model in models
            for variant in Predictions.read(names.PREDICTIONS / f"{model}.parquet").variants()
        ],
        MetricOptions(**run.params.evaluate.options(), seed=run.seed),
        dataset=run.item,
        main_metric=catalog.model(models[0]).main_metric,
    )
    write_json(run.out(names.COMPARISONS / f"{run.item}.json"), report)
    run.metrics(
        {
            f"difference/{found['model']}/{found['other']}/{found['quantity']}": found["value"]
            for found in report["differences"]
            if "verdict" in found
        }
    )


if __name__ == "__main__":
    stage.execute(main)
