"""Fit the baselines of the networks: ``python pipelines/baseline.py <model>``."""

import argparse

from plumbline import catalog, names, stage


def main(run: stage.Run) -> None:
    """Write the model folder and record the validation values."""
    spec = catalog.model(run.item)
    fit, parameters = catalog.load(spec.fit), getattr(run.params, spec.params)
    fitted = fit(parameters, data=names.PREPARED / spec.dataset, context=run, **spec.options)
    fitted.save(run.out(names.MODEL_DIR / spec.name))
    run.metrics(fitted.metrics)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=["baseline", "ngram"])
    parser.parse_args()
    stage.execute(main)
