"""Fit a model of the catalogue: ``python pipelines/train.py <model>``."""

from plumbline import catalog, names, stage


def main(run: stage.Run) -> None:
    """Write the model folder, and the history if the model is a network."""
    spec = catalog.model(run.item)
    parameters, data = getattr(run.params, spec.params), names.PREPARED / spec.dataset
    if spec.check:
        catalog.load(spec.check)(run.params, data)
    fitted = catalog.load(spec.fit)(parameters, data=data, context=run.fit, **spec.options)
    fitted.with_hyperparameters(parameters).save(run.out(names.MODEL_DIR / spec.name))
    run.metrics(fitted.metrics)
    if fitted.history is not None:
        fitted.history.write(run.out(names.HISTORY_DIR / f"{spec.name}.csv"))


if __name__ == "__main__":
    stage.execute(main)
