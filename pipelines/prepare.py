"""Prepare a data set: read its source, split it, find its groups, write data/prepared/<dataset>."""

import argparse

from plumbline import catalog, names, stage


def main(run: stage.Run) -> None:
    """Write the prepared folder of the data set this stage is named after."""
    from plumbline.data.base.injection import inject_bias
    from plumbline.data.base.sources import raw_files

    spec, seed = catalog.dataset(run.item), run.params.seed
    block = getattr(run.params, spec.params)
    raw = raw_files(block)  # refuses altered files before they are read
    prepared = catalog.load(spec.prepare)(block, seed=seed)
    target = run.out(names.PREPARED / spec.name)
    prepared.write(target, raw_files=raw)
    run.metrics(prepared.counts())
    if spec.inject:
        run.metrics(inject_bias(target, block, seed=seed))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", choices=tuple(catalog.datasets()))
    parser.parse_args()
    stage.execute(main)
