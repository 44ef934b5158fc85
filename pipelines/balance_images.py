"""Rebalance an undersampled group of images: ``python pipelines/balance_images.py``."""

from dataclasses import replace

from plumbline import names, stage


def main(run: stage.Run) -> None:
    """Undersample a group, train the GAN, fit the classifier to each rebalanced variant."""
    from plumbline.artifacts import write_json
    from plumbline.audit.options import AuditOptions, declared_margins
    from plumbline.inference.classify import predict_classifier
    from plumbline.inference.generate import generate
    from plumbline.mitigation.preprocessing.balance_trial import Asked, read_images, try_balance
    from plumbline.params.policy import load_policy
    from plumbline.training.recipes.adversarial import fit_gan
    from plumbline.training.recipes.images import fit_cnn

    options = run.study.balance_images
    gan = run.params.train_gan.model_copy(update={"steps": options.gan_steps})

    def context(name):
        return replace(run.fit, work=run.work / "fits" / name, sink=None)

    def train_generator(folder):
        model = run.work / "models" / "gan"
        fit_gan(gan, data=folder, context=context("gan")).save(model)
        return lambda labels, seed: generate(model, n=len(labels), seed=seed, labels=labels)[0]

    def fit(variant, folder):
        model = run.work / "models" / variant
        fit_cnn(run.params.train_cnn, data=folder, context=context(variant)).save(model)
        return predict_classifier(model, folder)

    found = try_balance(
        read_images(names.PREPARED / names.IMAGES, size=gan.image_size),
        Asked(**options.model_dump(exclude={"gan_steps"})),
        train_generator=train_generator,
        fit=fit,
        options=AuditOptions(
            **run.params.audit.options(),
            margins=declared_margins(load_policy().margins),
            seed=run.seed,
        ),
        work=run.work / "data",
    )
    write_json(run.out(names.BALANCE), found)
    for row in found.get("rows", ()):
        run.metrics({f"{row['variant']}/{names.ACCURACY}": row["accuracy"]["value"]})


if __name__ == "__main__":
    stage.execute(main)
