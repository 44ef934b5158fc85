"""Draw samples from a generative model: ``python pipelines/sample.py <model>``."""

from plumbline import catalog, names, stage


def main(run: stage.Run) -> None:
    """Write ``data/samples/<model>``."""
    spec = catalog.model(run.item)
    models = {name: names.MODEL_DIR / name for name in (spec.name, *spec.needs)}
    # The samples that are shown are those that the evaluation measured.
    seed = stage.derive_seed(run.params.seed, f"evaluate@{spec.name}")
    catalog.load(spec.sample)(
        models,
        names.PREPARED / spec.dataset,
        options=run.params.evaluate,
        seed=seed,
        folder=run.out(names.SAMPLES / spec.name),
    )


if __name__ == "__main__":
    stage.execute(main)
