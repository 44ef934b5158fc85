"""Predict held-out samples and measure them: ``python pipelines/evaluate.py <model>``."""

import argparse

from plumbline import names, stage


def main(run: stage.Run) -> None:
    """Write the model's predictions table and metrics, and samples of what it makes."""
    from plumbline.artifacts import ModelConfig, write_json
    from plumbline.metrics.estimates import MetricOptions
    from plumbline.metrics.summary import predictions_to_metrics

    model, options = run.item or run.name.removeprefix("evaluate_"), run.params.evaluate
    folder, data = names.MODEL_DIR / model, names.PREPARED / names.MODEL_DATA[model]
    others, extractor, length = {}, None, options.block_characters
    if model == "baseline":
        from plumbline.inference.classical import predict_baseline

        predictions = predict_baseline(folder, data)
        fitted = ModelConfig.read(folder).arguments
        rest = sorted(set(fitted["models"]) - {fitted["chosen"]})
        others = {name: predict_baseline(folder, data, model=name) for name in rest}
    elif names.MODEL_DATA[model] == names.TEXT:
        from plumbline.inference.classical import predict_ngram

        predictions = predict_ngram(names.MODEL_DIR / "ngram", data, block_characters=length)
        if model == "rnn":
            from plumbline.inference.language import generate_texts, predict_language

            others = {"ngram": predictions}
            predictions = predict_language(folder, data, block_characters=length)
            texts = generate_texts(folder, data, seed=run.seed, **options.text_sample.model_dump())
            write_json(run.out(names.SAMPLES / "rnn.json"), texts)
    elif model == "gan":
        from plumbline.inference.generator_table import predict_generator, write_images

        models = {model: folder, names.EXTRACTOR: names.MODEL_DIR / names.EXTRACTOR}
        found = predict_generator(models, data, options=options, seed=run.seed)
        predictions, extractor = found.predictions, found.extractor_info
        write_images(models, data, options=options, seed=run.seed, folder=run.work)
        (run.work / names.IMAGE_SAMPLES).rename(run.out(names.SAMPLES / "gan.npz"))
    else:
        from plumbline.inference.classify import predict_classifier

        predictions = predict_classifier(folder, data)
    predictions.write(run.out(names.PREDICTIONS / f"{model}.parquet"))
    measured = MetricOptions(**options.options(), seed=run.seed)
    report = predictions_to_metrics(predictions, measured, others=others, extractor_info=extractor)
    write_json(run.out(names.METRICS_DIR / f"{model}.json"), report)
    run.metrics({names.metric(names.TEST, k): v["value"] for k, v in report["metrics"].items()})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=names.MODELS)
    parser.parse_args()
    stage.execute(main)
