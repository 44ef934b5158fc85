"""Prepare a data set: read its source, split it, find its groups, write data/prepared/<dataset>."""

import argparse

from plumbline import names, stage


def main(run: stage.Run) -> None:
    """Write the prepared folder of the data set this stage is named after."""
    from plumbline.data.base.injection import plant_folder
    from plumbline.data.base.sources import raw_files

    parameters = run.params
    raw = raw_files(getattr(parameters, f"data_{run.item}"))
    if run.item == names.TABULAR:
        from plumbline.data.tables.prepare import prepare as prepare_tabular

        prepared = prepare_tabular(parameters.data_tabular, seed=parameters.seed)
    elif run.item == names.TEXT:
        from plumbline.data.text.prepare import prepare as prepare_text

        prepared = prepare_text(parameters.data_text, seed=parameters.seed)
    elif run.item == names.IMAGES:
        from plumbline.data.images.prepare import prepare as prepare_images

        prepared = prepare_images(parameters.data_images, seed=parameters.seed)
    else:
        from plumbline.data.glyphs.prepare import prepare as prepare_glyphs

        prepared = prepare_glyphs(parameters.data_glyphs, seed=parameters.seed)
    prepared = prepared.traced_to(raw)
    target = run.out(names.PREPARED / run.item)
    prepared.write(target)
    run.metrics(prepared.counts())
    if run.item in (names.TABULAR, names.IMAGES):
        block = getattr(parameters, f"data_{run.item}")
        run.metrics(plant_folder(target, block, seed=parameters.seed))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", choices=names.DATASETS)
    parser.parse_args()
    stage.execute(main)
