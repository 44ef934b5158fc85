"""Pretrain the backbone on printed characters and save it, in timm's hub format too."""

from plumbline import names, stage


def main(run: stage.Run) -> None:
    """Write the backbone and its history."""
    from plumbline.training.recipes.base import Where
    from plumbline.training.recipes.pretraining import pretrain_backbone, save_backbone

    where = Where(**run.fit)
    data = names.PREPARED / names.GLYPHS
    fitted = pretrain_backbone(run.params.pretrain, data=data, where=where)
    save_backbone(fitted.made_with(run.params.pretrain), run.out(names.MODEL_DIR / "backbone"))
    fitted.history.write(run.out(names.HISTORY_DIR / "backbone.csv"))


if __name__ == "__main__":
    stage.execute(main)
