"""Train a network from a random start: feed-forward, recurrent, convolutional, or the GAN."""

import argparse

from plumbline import names, stage

MODELS = ["fnn", "rnn", "cnn", "gan"]


def main(run: stage.Run) -> None:
    """Write the model folder and the history of the model this stage is named after."""
    model = run.name.removeprefix("train_")
    data = names.PREPARED / names.MODEL_DATA[model]
    if model == "fnn":
        from plumbline.training.recipes.supervised import fit_fnn

        fitted = fit_fnn(run.params.train_fnn, data=data, context=run.fit)
    elif model == "cnn":
        from plumbline.training.recipes.supervised import fit_cnn

        fitted = fit_cnn(run.params.train_cnn, data=data, context=run.fit)
    elif model == "rnn":
        from plumbline.training.recipes.language import fit_rnn

        fitted = fit_rnn(run.params.train_rnn, data=data, context=run.fit)
    else:
        from plumbline.training.recipes.adversarial import check_test_images, fit_gan

        # No parameter of this stage: it refuses, and has no part in what is trained.
        check_test_images(run.params, data)
        fitted = fit_gan(run.params.train_gan, data=data, context=run.fit)
    fitted.with_hyperparameters(getattr(run.params, run.name)).save(
        run.out(names.MODEL_DIR / model)
    )
    fitted.history.write(run.out(names.HISTORY_DIR / f"{model}.csv"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=MODELS)
    parser.parse_args()
    stage.execute(main)
