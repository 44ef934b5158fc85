"""Fit the classical models that the networks are read against: on the table, or on the text."""

import argparse

from plumbline import names, stage


def main(run: stage.Run) -> None:
    """Write the model folder of ``baseline`` or ``ngram``."""
    from plumbline.classical.folders import save_baseline, save_ngram

    data, folder = names.PREPARED / names.MODEL_DATA[run.item], names.MODEL_DIR / run.item
    if run.item == "baseline":
        values = save_baseline(data, run.out(folder), parameters=run.params.baseline, seed=run.seed)
    else:
        values = save_ngram(data, run.out(folder), parameters=run.params.baseline)
    run.metrics(values)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=["baseline", "ngram"])
    parser.parse_args()
    stage.execute(main)
