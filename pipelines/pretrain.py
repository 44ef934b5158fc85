"""Pretrain the backbone on printed characters and save it, in timm's hub format too."""

from plumbline import names, stage


def main(run: stage.Run) -> None:
    """Write the backbone and its history."""
    from plumbline.training.recipes.pretraining import pretrain_backbone

    data = names.PREPARED / names.GLYPHS
    fitted = pretrain_backbone(run.params.pretrain, data=data, context=run.fit)
    fitted = fitted.with_hyperparameters(run.params.pretrain)
    fitted.save(run.out(names.MODEL_DIR / "backbone"))
    fitted.history.write(run.out(names.HISTORY_DIR / "backbone.csv"))


if __name__ == "__main__":
    stage.execute(main)
