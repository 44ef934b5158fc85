"""The report of a model: its parts, its references, and floors at equal size."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from plumbline import names
from plumbline.artifacts import Predictions, dump_json
from plumbline.errors import MetricError
from plumbline.metrics import summary
from plumbline.metrics.estimates import MetricOptions
from plumbline.metrics.groups.confusions import contingency_to_counts
from plumbline.metrics.groups.contingency import table_to_contingency
from plumbline.metrics.groups.rates import counts_to_rates

OPTIONS = MetricOptions(
    confidence=0.95,
    replicates=300,
    neighbours=3,
    splits=40,
    seed=1,
)


def classified(n=120, classes=("a", "b", "c"), model="cnn", seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(len(classes), size=n)
    raw = np.exp(rng.normal(size=(n, len(classes))) + 2 * (np.arange(len(classes)) == y[:, None]))
    scores = raw / raw.sum(axis=1, keepdims=True)
    table = pd.DataFrame({"sample_id": [f"s{i}" for i in range(n)], "split": names.TEST})
    table["y_true"], table["y_pred"] = y, scores.argmax(axis=1)
    for k, name in enumerate(classes):
        table[f"score_{name}"] = scores[:, k]
    table["sex"] = rng.choice(["f", "m"], n)
    return Predictions(
        table, model, names.CLASSIFICATION, names.IMAGES, "digits", tuple(classes), None, ("sex",)
    )


def generated(shift=0.0, n=90, real=100, width=5, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(n + real)],
            "split": [names.TEST] * n + [names.REFERENCE] * real,
            "y_true": rng.integers(2, size=n + real),
            "style": rng.choice(["thin", "thick"], n + real),
        }
    )
    table["y_pred"] = table["y_true"]
    table.loc[:8, "y_pred"] = 1 - table.loc[:8, "y_true"]
    table["score_a"] = np.where(table["y_pred"] == 0, 0.9, 0.1)
    table["score_b"] = 1 - table["score_a"]
    features = rng.normal(size=(n + real, width))
    features[:n] += shift
    for i in range(width):
        table[f"feature_{i}"] = features[:, i]
    return Predictions(
        table, "gan", names.GENERATOR, names.IMAGES, "digits", ("a", "b"), None, ("style",)
    )


def test_a_classifier_is_reported_with_intervals_that_hold_its_values():
    report = summary.predictions_to_metrics(classified(), OPTIONS)
    assert {key: report[key] for key in ("model", "kind", "dataset", "source", "split", "n")} == {
        "model": "cnn",
        "kind": "classification",
        "dataset": "images",
        "source": "digits",
        "split": "test",
        "n": 120,
    }
    assert report["main_metric"] == names.ACCURACY
    assert "extractor_info" not in report
    assert set(report["metrics"]) == {
        names.ACCURACY, names.BALANCED_ACCURACY, names.F1_MACRO, names.AUROC, names.BRIER,
        names.LOG_LOSS, names.ECE,
    }  # fmt: skip
    for quantity in report["metrics"].values():
        assert quantity["low"] <= quantity["value"] <= quantity["high"]


@pytest.mark.parametrize("columns", [(), ("weight",), ("entity",), ("weight", "entity")])
def test_a_classifier_has_the_balanced_accuracy_of_its_audit(columns):
    made = classified()
    rows = np.arange(len(made.table))
    values = {"weight": rows % 3 + 1, "entity": [f"{k // 2:03d}" for k in rows]}
    table = made.table.assign(**{
        {"weight": "sample_weight"}.get(name, name): values[name] for name in columns
    })  # fmt: skip
    report = summary.predictions_to_metrics(replace(made, table=table), OPTIONS)
    contingency = table_to_contingency(
        table, attributes=(), classes=made.classes, positive=None,
        weight=values["weight"] if "weight" in columns else None,
        entity=values["entity"] if "entity" in columns else None,
    )  # fmt: skip
    counts = contingency_to_counts(contingency, max_order=0, overall=True)
    rates = counts_to_rates(counts, confidence=OPTIONS.confidence).set_index("metric")
    wanted = rates.loc[names.BALANCED_ACCURACY, ["value", "low", "high"]].to_dict()
    assert report["metrics"][names.BALANCED_ACCURACY] == pytest.approx(wanted)


def test_balanced_accuracy_is_over_the_classes_that_have_rows():
    """Of two classes that occur, two of four and three of three are right."""
    true, decided = [0, 0, 0, 0, 2, 2, 2], [0, 0, 1, 2, 2, 2, 2]
    found = summary.classification_metrics(true, decided, np.full((7, 3), 1 / 3), OPTIONS)
    balanced = found[names.BALANCED_ACCURACY]
    assert balanced["value"] == 0.75
    assert 0 < balanced["low"] < 0.75 < balanced["high"] < 1


def test_the_majority_class_is_the_largest_share_of_the_test_rows():
    predictions = classified()
    most = predictions.table["y_true"].value_counts().max()
    report = summary.predictions_to_metrics(predictions, OPTIONS)
    assert report["reference"]["majority_class/accuracy"]["value"] == pytest.approx(most / 120)


def test_only_test_rows_are_measured():
    predictions = classified()
    more = predictions.table.assign(
        sample_id=[f"v{i}" for i in range(120)], split=names.VAL, y_pred=0
    )
    both = Predictions(
        **{
            **{f: getattr(predictions, f) for f in predictions.__dataclass_fields__},
            "table": pd.concat([more, predictions.table], ignore_index=True),
        }
    )
    assert summary.predictions_to_metrics(both, OPTIONS) == summary.predictions_to_metrics(
        predictions, OPTIONS
    )


def test_other_models_stand_beside_it_on_the_same_rows():
    predictions = classified()
    report = summary.predictions_to_metrics(predictions, OPTIONS, others={"svm": predictions})
    for name, value in report["metrics"].items():
        assert report["reference"][f"svm/{name}"] == value
    with pytest.raises(MetricError) as error:
        summary.predictions_to_metrics(predictions, OPTIONS, others={"svm": classified(n=90)})
    assert str(error.value) == "cnn: rows of svm must be the same test rows, got others"


def test_a_regression_model_is_reported_by_its_errors():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"sample_id": [f"s{i}" for i in range(50)], "split": names.TEST})
    table["y_true"], table["sex"] = rng.normal(size=50), "f"
    table["y_pred"] = table["y_true"] + 1
    predictions = Predictions(
        table, "fnn", names.REGRESSION, names.TABULAR, "diabetes", (), None, ("sex",)
    )
    report = summary.predictions_to_metrics(predictions, OPTIONS)
    assert report["main_metric"] == names.RMSE
    assert report["metrics"][names.RMSE] == pytest.approx({"value": 1, "low": 1, "high": 1})


def test_documents_not_blocks_make_the_interval_of_a_text_model():
    """Repeating every block of a document leaves value and interval as they are."""
    rng = np.random.default_rng(0)

    def report(repeats):
        document = np.repeat(np.arange(20), repeats)
        nll = np.repeat(500 * rng_nll, repeats)
        table = pd.DataFrame(
            {
                "sample_id": [f"s{i}" for i in range(len(document))],
                "split": names.TEST,
                "document_id": [f"d{i:02d}" for i in document],
                "nll": nll,
                "characters": 512,
                "part": "x",
            }
        )
        predictions = Predictions(
            table, "rnn", names.LANGUAGE, names.TEXT, "docs", (), None, ("part",)
        )
        return summary.predictions_to_metrics(predictions, OPTIONS)["metrics"]

    rng_nll = rng.gamma(20, 0.05, 20)
    once, often = report(1), report(5)
    for name in (names.BITS_PER_CHARACTER, names.PERPLEXITY):
        assert often[name] == pytest.approx(once[name])
        assert once[name]["low"] < once[name]["value"] < once[name]["high"]


def blocks_of_text(containment):
    """Documents of one block each, whose bits per character are 1, 2, 3, …"""
    count = len(containment)
    table = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(count)],
            "split": names.TEST,
            "document_id": [f"d{i}" for i in range(count)],
            "nll": 100 * np.log(2) * np.arange(1, count + 1),
            "characters": 100,
            names.CONTAINMENT: containment,
            "part": "x",
        }
    )
    return Predictions(table, "rnn", names.LANGUAGE, names.TEXT, "docs", (), None, ("part",))


def test_bits_of_documents_that_hold_little_training_text_are_reported_beside_all():
    found = summary.predictions_to_metrics(blocks_of_text([0.0, 0.6, 0.1, 0.11]), OPTIONS)
    metrics = found["metrics"]
    assert metrics[names.BITS_PER_CHARACTER]["value"] == pytest.approx(2.5)
    new = metrics[names.BITS_UNCONTAINED]
    assert (new["n"], new["max_containment"]) == (2, 0.1)
    assert new["value"] == pytest.approx(2.0)  # documents of 1 and 3 bits
    assert 0 <= new["low"] <= 2 <= new["high"]


def test_without_such_a_document_their_bits_are_undefined():
    metrics = summary.predictions_to_metrics(blocks_of_text([0.2, 0.6]), OPTIONS)["metrics"]
    assert metrics[names.BITS_UNCONTAINED] == {
        "value": None, "low": None, "high": None, "n": 0, "max_containment": 0.1,
    }  # fmt: skip


def test_a_single_document_has_no_interval():
    documents = pd.DataFrame({"nll": [70.0], "characters": [10]})
    metrics = summary.language_metrics(documents, OPTIONS)
    assert metrics[names.BITS_PER_CHARACTER]["low"] is None
    assert metrics[names.BITS_PER_CHARACTER]["value"] == pytest.approx(7 / np.log(2))


def test_a_generator_that_draws_from_the_real_law_is_as_near_as_real_images():
    """Generated and real images are compared at 50 each, as real images with others are."""
    report = summary.predictions_to_metrics(
        generated(n=100), OPTIONS, main_metric="kid/cnn", extractor_info={"extractor": "cnn"}
    )
    assert report["main_metric"] == "kid/cnn"
    assert report["extractor_info"] == {
        "extractor": "cnn",
        "generated": 100,
        "real": 100,
        "compared": 50,
    }
    metrics, reference = report["metrics"], report["reference"]
    for name in ("kid/cnn", "fid_infinity/cnn"):
        assert name not in reference
        assert metrics[name]["low"] < 0 < metrics[name]["high"]
    for name in ("generative_precision", "generative_recall", "coverage", "repetition"):
        found, floor = metrics[f"{name}/cnn"], reference[f"{name}/cnn"]
        assert found["value"] == pytest.approx(floor["value"], abs=0.1)
        assert floor["low"] is floor["high"] is None
    floor = reference["fid/cnn"]["value"]
    assert metrics["fid/cnn"]["low"] < floor < metrics["fid/cnn"]["high"]


def test_every_metric_of_a_generator_has_an_interval_that_holds_its_value():
    metrics = summary.predictions_to_metrics(generated(), OPTIONS)["metrics"]
    assert set(metrics) == {
        "kid/cnn", "fid_infinity/cnn", "fid/cnn", "generative_precision/cnn",
        "generative_recall/cnn", "density/cnn", "coverage/cnn", "repetition/cnn",
        "inception_score/cnn", "classes_missing", "class_agreement",
    }  # fmt: skip
    for cell in metrics.values():
        assert cell["low"] <= cell["value"] <= cell["high"]


def test_no_interval_of_a_share_leaves_its_bounds():
    """40 real faces had a precision of 0.937 with an interval up to 1.06."""
    metrics = summary.predictions_to_metrics(generated(n=30, real=30, width=2), OPTIONS)["metrics"]
    for name in ("generative_precision", "generative_recall", "coverage", "repetition"):
        cell = metrics[f"{name}/cnn"]
        assert 0 <= cell["low"] <= cell["value"] <= cell["high"] <= 1
    assert metrics["generative_precision/cnn"]["high"] == 1
    assert metrics["fid/cnn"]["low"] >= 0


def test_a_generator_that_is_off_is_further_than_real_images():
    report = summary.predictions_to_metrics(generated(shift=1.0), OPTIONS)
    metrics, reference = report["metrics"], report["reference"]
    assert metrics["fid/cnn"]["low"] > reference["fid/cnn"]["value"]
    five = metrics["fid_infinity/cnn"]  # five features, each off by one
    assert five["low"] < 5 < five["high"]
    assert metrics["kid/cnn"]["low"] > 0
    for name in ("generative_precision/cnn", "coverage/cnn"):
        assert metrics[name]["high"] < reference[name]["value"]


def test_the_shares_of_the_classes_are_reported_with_what_the_classifier_counts():
    """81 of 90 images are recognised as requested, and every real image as what it is."""
    predictions = generated()
    report = summary.predictions_to_metrics(predictions, OPTIONS)
    table = predictions.table
    made = table["split"] == names.TEST
    for code, row in enumerate(report["class_shares"]):
        assert row["class"] == "ab"[code]
        assert row["recognised"] == pytest.approx((table.loc[made, "y_pred"] == code).mean())
        assert row["real"] == pytest.approx((table.loc[~made, "y_true"] == code).mean())
        assert row["value"] == pytest.approx(row["recognised"])
        assert row["low"] < row["value"] < row["high"]
    assert report["metrics"]["classes_missing"] == {"value": 0, "low": 0, "high": 0}


def test_the_share_read_as_asked_for_is_counted_on_generated_images_alone():
    report = summary.predictions_to_metrics(generated(), OPTIONS)
    assert report["metrics"][names.CLASS_AGREEMENT]["value"] == pytest.approx(81 / 90)
    assert report["reference"][names.CLASS_AGREEMENT]["value"] == 1


def test_reports_are_json_and_the_same_twice():
    texts = {dump_json(summary.predictions_to_metrics(generated(), OPTIONS)) for _ in range(2)}
    assert len(texts) == 1


def test_too_few_images_and_no_test_rows_are_named():
    with pytest.raises(MetricError) as error:
        summary.predictions_to_metrics(generated(n=6), OPTIONS)
    assert str(error.value) == (
        "generator: half of the generated and of the real images must be > 3 "
        "(nearest_neighbours), got 3"
    )
    predictions = classified()
    predictions.table["split"] = names.VAL
    with pytest.raises(MetricError) as error:
        summary.predictions_to_metrics(predictions, OPTIONS)
    assert str(error.value) == "cnn: predictions must have test rows, got none"


def numbers(n=80, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"sample_id": [f"s{i}" for i in range(n)], "split": names.TEST})
    table["y_true"] = rng.normal(size=n)
    table["y_pred"] = table["y_true"] + rng.normal(scale=0.4, size=n)
    table["sex"] = rng.choice(["f", "m"], n)
    return Predictions(table, "fnn", names.REGRESSION, names.TABULAR, "csv", (), None, ("sex",))


def written_out(predictions, times, **columns):
    """The same predictions with each row so many times."""
    rows = np.repeat(np.arange(len(predictions.table)), times)
    table = predictions.table.iloc[rows].reset_index(drop=True).assign(**columns)
    table["sample_id"] = [f"{name}/{k}" for k, name in enumerate(table["sample_id"])]
    return replace(predictions, table=table)


@pytest.mark.parametrize("made", [classified(), numbers()], ids=["classes", "numbers"])
def test_a_row_of_weight_3_counts_as_three_rows(made):
    times = np.arange(len(made.table)) % 3 + 1
    weighted = replace(made, table=made.table.assign(sample_weight=times / 10))
    found = summary.predictions_to_metrics(weighted, OPTIONS)
    wanted = summary.predictions_to_metrics(written_out(made, times), OPTIONS)
    plain = summary.predictions_to_metrics(made, OPTIONS)
    for quantity, estimate in wanted["metrics"].items():
        own = found["metrics"][quantity]
        assert own["value"] == pytest.approx(estimate["value"]), quantity
        assert own["low"] <= own["value"] <= own["high"]
        # Weights tell less than rows that were written out would.
        assert own["high"] - own["low"] > estimate["high"] - estimate["low"]
        unweighted = found["reference"][f"unweighted_rows/{quantity}"]
        assert unweighted == plain["metrics"][quantity]
    assert found["weight"] == pytest.approx(times.sum() / 10)
    assert (found["n"], found["main_metric"]) == (plain["n"], plain["main_metric"])
    assert not {"weight", "entities"} & set(plain)
    if made.classes:
        majority = f"majority_class/{names.ACCURACY}"
        assert found["reference"][majority]["value"] == pytest.approx(
            wanted["reference"][majority]["value"]
        )


@pytest.mark.parametrize("made", [classified(), numbers()], ids=["classes", "numbers"])
def test_rows_of_one_entity_do_not_narrow_an_interval(made):
    entity = np.repeat([f"{k:03d}" for k in range(len(made.table))], 4)
    found = summary.predictions_to_metrics(written_out(made, 4, entity=entity), OPTIONS)
    plain = summary.predictions_to_metrics(made, OPTIONS)
    assert (found["n"], found["entities"]) == (4 * plain["n"], plain["n"])
    for quantity, estimate in plain["metrics"].items():
        own = found["metrics"][quantity]
        assert own["value"] == pytest.approx(estimate["value"])
        if quantity not in (names.ACCURACY, names.BALANCED_ACCURACY):
            # Entities are drawn as the rows are there.
            assert (own["low"], own["high"]) == pytest.approx((estimate["low"], estimate["high"]))
        else:
            width, wide = estimate["high"] - estimate["low"], own["high"] - own["low"]
            assert width <= wide < 1.05 * width


def test_entities_of_one_row_each_are_none():
    made = classified()
    alone = replace(made, table=made.table.assign(entity=made.table["sample_id"]))
    assert summary.predictions_to_metrics(alone, OPTIONS) == summary.predictions_to_metrics(
        made, OPTIONS
    )
