"""Fine-tune the backbone on few labelled digits: from scratch, linear probe, or every weight."""

import argparse

from plumbline import names, stage


def main(run: stage.Run) -> None:
    """Write the model folder and the history of the strategy this stage is named after."""
    from plumbline.training.recipes.transfer import finetune

    data, model = names.PREPARED / names.IMAGES, f"finetune_{run.item}"
    fitted = finetune(run.params.finetune, strategy=run.item, data=data, context=run.fit)
    fitted.with_hyperparameters(run.params.finetune).save(run.out(names.MODEL_DIR / model))
    fitted.history.write(run.out(names.HISTORY_DIR / f"{model}.csv"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("strategy", choices=names.STRATEGIES)
    parser.parse_args()
    stage.execute(main)
