import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as peer
from sklearn.datasets import load_breast_cancer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression

from plumbline import names
from plumbline.artifacts import Predictions, dump_json
from plumbline.errors import MetricError
from plumbline.metrics.comparison import differences
from plumbline.metrics.estimates import MetricOptions
from plumbline.metrics.summary import predictions_to_metrics

OPTIONS = MetricOptions(confidence=0.95, replicates=400, seed=0, neighbours=3, splits=10)


def classified(model, y, scores, **columns):
    scores = np.asarray(scores)
    classes = tuple("abcdefgh"[: scores.shape[1]])
    table = pd.DataFrame({"sample_id": [f"s{i:04d}" for i in range(len(y))], "split": names.TEST})
    table = table.assign(y_true=y, y_pred=scores.argmax(axis=1), **columns)
    for k, name in enumerate(classes):
        table[f"score_{name}"] = scores[:, k]
    return Predictions(table, model, names.CLASSIFICATION, names.TABULAR, "csv", classes, None, ())


@pytest.fixture(scope="module")
def two():
    """Two models that scikit-learn fits to breast cancer data, on 200 test rows."""
    x, y = load_breast_cancer(return_X_y=True)
    fits = {
        "baseline": LinearDiscriminantAnalysis().fit(x[200:], y[200:]),
        "fnn": LogisticRegression(C=0.01, max_iter=10_000).fit(x[200:], y[200:]),
    }
    return [classified(name, y[:200], fit.predict_proba(x[:200])) for name, fit in fits.items()]


def compared(tables, main=names.AUROC, options=OPTIONS):
    return differences.predictions_to_comparison(
        tables, options, dataset=names.TABULAR, main_metric=main
    )


def found(report, quantity, model="fnn", other="baseline"):
    rows = report["differences"]
    wanted = model, other, quantity
    return next(r for r in rows if (r["model"], r["other"], r["quantity"]) == wanted)


def test_values_are_differences_of_what_scikit_learn_measures(two):
    report = compared(two)
    measured = {}
    for predictions in two:
        table, p = predictions.table, predictions.scores()
        codes = table["y_true"], table["y_pred"]
        measured[predictions.model] = {
            names.ACCURACY: peer.accuracy_score(*codes),
            names.BALANCED_ACCURACY: peer.balanced_accuracy_score(*codes),
            names.F1_MACRO: peer.f1_score(*codes, average="macro"),
            names.AUROC: peer.roc_auc_score(table["y_true"], p[:, 1]),
            names.LOG_LOSS: peer.log_loss(table["y_true"], p),
        }
    for quantity, value in measured["fnn"].items():
        wanted = value - measured["baseline"][quantity]
        assert found(report, quantity)["value"] == pytest.approx(wanted, abs=1e-12), quantity


def test_values_are_differences_of_the_metrics_reports(two):
    report = compared(two)
    one, other = (predictions_to_metrics(p, OPTIONS)["metrics"] for p in (two[1], two[0]))
    assert {row["quantity"] for row in report["differences"]} == set(one)
    for quantity in one:
        wanted = one[quantity]["value"] - other[quantity]["value"]
        assert found(report, quantity)["value"] == pytest.approx(wanted, abs=1e-12)


def test_the_report_names_pair_method_and_size_of_every_difference(two):
    report = compared(two)
    assert {key: report[key] for key in ("dataset", "source", "models", "n", "unit")} == {
        "dataset": "tabular",
        "source": "csv",
        "models": ["baseline", "fnn"],
        "n": 200,
        "unit": "rows",
    }
    assert (report["confidence"], report["main_metric"]) == (0.95, names.AUROC)
    assert len(report["differences"]) == 2 * 7
    methods = {row["quantity"]: row["method"] for row in report["differences"]}
    assert methods[names.ACCURACY] == "Tango score interval, McNemar test"
    assert methods[names.AUROC] == "DeLong, joined on the logit scale"
    assert methods[names.BRIER] == "Student and Hall, linearised"
    assert methods[names.BALANCED_ACCURACY] == "paired bootstrap"
    assert {row["n"] for row in report["differences"]} == {200}


def test_the_other_way_round_every_difference_is_turned(two):
    report = json.loads(dump_json(compared(two)))
    for row in report["differences"]:
        turned = found(report, row["quantity"], model=row["other"], other=row["model"])
        assert turned["value"] == pytest.approx(-row["value"])
        if row["low"] is not None:
            assert (turned["low"], turned["high"]) == pytest.approx((-row["high"], -row["low"]))
        assert turned["p"] == row["p"]


def test_a_paired_interval_is_narrower_than_one_of_independent_rows(two):
    """The Brier scores of two models correlate; separate intervals would be joined too wide."""
    noisy = two[0].scores() ** 0.9
    near = classified("fnn", two[0].table["y_true"], noisy / noisy.sum(axis=1, keepdims=True))
    row = found(compared([two[0], near]), names.BRIER)
    reports = [predictions_to_metrics(p, OPTIONS)["metrics"][names.BRIER] for p in (two[0], near)]
    apart = math.hypot(*(each["high"] - each["low"] for each in reports))
    assert row["high"] - row["low"] < 0.3 * apart


def test_only_the_main_metric_has_a_verdict_and_it_says_which_model_is_better(two):
    y = two[0].table["y_true"].to_numpy()
    rng = np.random.default_rng(0)
    p = np.clip(np.eye(2)[y] * 0.3 + rng.random((200, 2)), 0.01, None)
    poor = classified("fnn", y, p / p.sum(axis=1, keepdims=True))
    for main, more in ((names.AUROC, True), (names.BRIER, False)):
        report = compared([two[0], poor], main)
        verdicts = {
            (row["model"], row["quantity"]): row["verdict"]
            for row in report["differences"]
            if "verdict" in row
        }
        assert (found(report, main, "baseline", "fnn")["value"] > 0) == more
        assert verdicts == {("baseline", main): names.BETTER, ("fnn", main): names.WORSE}


def test_a_regression_has_the_first_of_its_metrics_as_the_main_one():
    rng = np.random.default_rng(0)
    x = rng.normal(size=90)
    tables = [
        Predictions(
            pd.DataFrame(
                {
                    "sample_id": [str(i) for i in range(90)],
                    "split": names.TEST,
                    "y_true": x,
                    "y_pred": x + scale * rng.normal(size=90),
                }
            ),
            name, names.REGRESSION, names.TABULAR, "csv", (), None, (),
        )
        for name, scale in (("baseline", 1.0), ("fnn", 0.3))
    ]  # fmt: skip
    report = compared(tables)
    assert report["main_metric"] == names.RMSE
    row = found(report, names.RMSE)
    wanted = [math.sqrt(peer.mean_squared_error(x, t.table["y_pred"])) for t in tables]
    assert row["value"] == pytest.approx(wanted[1] - wanted[0])
    assert row["verdict"] == names.BETTER  # less error
    assert row["low"] < row["value"] < row["high"] < 0


def text(model, excess, seed=0, documents=30):
    rng = np.random.default_rng(seed)
    blocks = rng.integers(1, 6, size=documents)
    owner = np.repeat(np.arange(documents), blocks)
    characters = 2 * rng.integers(100, 256, size=len(owner))
    table = pd.DataFrame(
        {
            "sample_id": [f"b{i}" for i in range(len(owner))],
            "split": names.TEST,
            "document_id": [f"d{i}" for i in owner],
            "nll": characters * (1 + 0.1 * rng.normal(size=documents)[owner]),
            "characters": characters,
        }
    )
    own = np.random.default_rng(len(model)).normal(size=documents)[owner]
    table["nll"] += characters * (excess + 0.01 * own)
    return Predictions(table, model, names.LANGUAGE, names.TEXT, "files", (), None, ())


def test_documents_not_blocks_are_the_units_of_a_text():
    tables = [text("ngram", 0.0), text("rnn", -0.02)]
    report = compared(tables, names.BITS_PER_CHARACTER)
    assert (report["n"], report["unit"]) == (30, "documents")
    row = found(report, names.BITS_PER_CHARACTER, "rnn", "ngram")
    sums = [t.table[["nll", "characters"]].sum() for t in tables]
    wanted = [s["nll"] / s["characters"] / math.log(2) for s in sums]
    assert row["value"] == pytest.approx(wanted[1] - wanted[0])
    # Every block cut in two equal halves: the same documents, the same interval.
    cut = [replace(t, table=halves(t.table)) for t in tables]
    again = found(compared(cut, names.BITS_PER_CHARACTER), names.BITS_PER_CHARACTER, "rnn", "ngram")
    assert {**again, "p": 0} == pytest.approx({**row, "p": 0})
    # 0.05 bits are the spread of documents; paired, 0.01 · sqrt(2) nats are left of it.
    assert row["high"] - row["low"] < 0.02
    # Perplexity grows with bits: both intervals must tell the same.
    other = found(report, names.PERPLEXITY, "rnn", "ngram")
    assert (row["high"] < 0) == (other["high"] < 0)
    assert row["p"] == pytest.approx(other["p"], rel=0.5)


def halves(table):
    cut = table.loc[np.repeat(table.index, 2)].reset_index(drop=True)
    cut["sample_id"] = [f"{name}/{i % 2}" for i, name in enumerate(cut["sample_id"])]
    return cut.assign(nll=cut["nll"] / 2, characters=cut["characters"] // 2)


def test_documents_that_hold_little_training_text_are_compared_apart():
    tables = []
    for model, excess in (("ngram", 0.0), ("rnn", 0.05)):
        made = text(model, excess)
        number = made.table["document_id"].str[1:].astype(int)
        tables.append(altered(made, containment=np.where(number < 20, 0.05, 0.6)))
    report = compared(tables, names.BITS_PER_CHARACTER)
    row = found(report, names.BITS_UNCONTAINED, "rnn", "ngram")
    alone = [replace(t, table=t.table[t.table["containment"] < 0.1]) for t in tables]
    wanted = found(
        compared(alone, names.BITS_PER_CHARACTER), names.BITS_PER_CHARACTER, "rnn", "ngram"
    )
    assert row["n"] == 20
    assert {key: wanted[key] for key in row} == {**row, "quantity": names.BITS_PER_CHARACTER}
    assert found(report, names.BITS_PER_CHARACTER, "rnn", "ngram")["n"] == 30
    assert "verdict" not in row


def test_rows_are_matched_by_sample_id_whatever_their_order(two):
    shuffled = replace(two[1], table=two[1].table.sample(frac=1, random_state=0))
    assert dump_json(compared([two[0], shuffled])) == dump_json(compared(two))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_intervals(two):
    assert dump_json(compared(two)) == dump_json(compared(two))
    other = compared(two, options=replace(OPTIONS, seed=1))
    resampled = names.BALANCED_ACCURACY
    assert found(other, resampled)["low"] != found(compared(two), resampled)["low"]
    assert found(other, names.AUROC) == found(compared(two), names.AUROC)


def written_out(predictions, times, **columns):
    table = predictions.table.iloc[np.repeat(np.arange(len(predictions.table)), times)]
    table = table.reset_index(drop=True).assign(**columns)
    table["sample_id"] = [f"{name}/{k}" for k, name in enumerate(table["sample_id"])]
    return replace(predictions, table=table)


def test_rows_of_one_entity_do_not_narrow_an_interval(two):
    entity = np.repeat([f"e{k:03d}" for k in range(200)], 4)
    grouped = compared([written_out(p, 4, entity=entity) for p in two])
    plain = compared(two)
    assert (grouped["n"], grouped["entities"]) == (800, 200)
    for row in plain["differences"]:
        own = found(grouped, row["quantity"], row["model"], row["other"])
        assert own["value"] == pytest.approx(row["value"])
        if not math.isnan(row["low"]):
            width, wide = row["high"] - row["low"], own["high"] - own["low"]
            assert wide == pytest.approx(width, rel=0.05)


def test_a_row_of_weight_3_counts_as_three_rows(two):
    times = np.arange(200) % 3 + 1
    weighted = compared([replace(p, table=p.table.assign(sample_weight=times / 10)) for p in two])
    written = compared([written_out(p, times) for p in two])
    assert weighted["weight"] == pytest.approx(times.sum() / 10)
    for row in written["differences"]:
        own = found(weighted, row["quantity"], row["model"], row["other"])
        assert own["value"] == pytest.approx(row["value"])
        if not math.isnan(row["low"]):
            assert own["high"] - own["low"] > row["high"] - row["low"]


def test_a_verdict_allows_for_all_pairs_of_models(two):
    """p = .03 of one pair is a verdict; of one pair among six it is none."""
    y = np.repeat([0, 1], 100)
    first = np.eye(2)[y] * 0.8 + 0.1
    worse = first.copy()
    worse[:10], worse[190:192] = first[:10, ::-1], first[190:192, ::-1]
    best = first.copy()
    best[190:193] = first[190:193, ::-1]  # wrong in 3 rows; `worse` in 12, 2 of them the same
    third, fourth = first.copy(), first.copy()
    third[95:99], fourth[96:100] = third[95:99, ::-1], fourth[96:100, ::-1]
    tables = [
        classified(name, y, p) for name, p in zip("wbtf", (worse, best, third, fourth), strict=True)
    ]
    alone = found(compared(tables[:2], names.ACCURACY), names.ACCURACY, "w", "b")
    assert alone["p"] == pytest.approx(0.0067, abs=1e-4)  # McNemar of 10 and 1
    assert alone["p_adjusted"] == alone["p"]
    assert alone["verdict"] == names.WORSE
    among = found(compared(tables, names.ACCURACY), names.ACCURACY, "w", "b")
    assert among["p_adjusted"] == pytest.approx(6 * alone["p"])
    third_pair = found(compared(tables, names.ACCURACY), names.ACCURACY, "w", "t")
    assert third_pair["p"] == pytest.approx(0.0455, abs=1e-4)  # McNemar of 12 and 4
    assert third_pair["high"] < 0
    assert third_pair["verdict"] == names.INCONCLUSIVE


def test_no_interval_where_none_would_be_right(two):
    same = replace(two[0], model="fnn")
    report = compared([two[0], same])
    for quantity in (names.AUROC, names.BRIER, names.F1_MACRO, names.ECE):
        row = found(report, quantity)
        assert row["value"] == 0
        assert math.isnan(row["low"])
        assert math.isnan(row["high"])
    assert found(report, names.AUROC)["verdict"] == names.INSUFFICIENT
    # Accuracy has one: no row of 200 tells the models apart, so few of others do.
    low, high = (found(report, names.ACCURACY)[end] for end in ("low", "high"))
    assert (low, high) == pytest.approx((-0.0188, 0.0188), abs=1e-4)
    reasons = {found(report, q)["method"] for q in (names.F1_MACRO, names.ECE)}
    assert reasons == {
        "none: too few rows are decided differently",
        "none: chance raises both errors, by amounts that differ",
    }


def test_a_single_model_has_no_differences(two):
    assert compared(two[:1]) == {"dataset": "tabular", "models": ["baseline"], "differences": []}


def altered(predictions, **changes):
    return replace(predictions, table=predictions.table.assign(**changes))


def test_tables_of_other_rows_are_refused(two):
    first, second = two
    cure = "; evaluate both models on the same data"
    refused = {
        "compare: test rows of fnn must be the 200 of baseline, got 199, and 1 that only one of "
        "them has (s0000)": replace(second, table=second.table[1:]),
        "compare: y_true of fnn must be that of baseline in every test row, got another": altered(
            second, y_true=1 - second.table["y_true"]
        ),
        "compare: entity of fnn must be that of baseline in every test row, got another": altered(
            second, entity="one"
        ),
        "compare: sample_weight of fnn must be that of baseline in every test row, got "
        "another": altered(second, sample_weight=2.0),
        "compare: source of fnn must be 'csv' as of baseline, got 'iris'": replace(
            second, source="iris"
        ),
        "compare: fnn must have test rows, got none": altered(second, split=names.VAL),
    }
    for message, table in refused.items():
        with pytest.raises(MetricError) as error:
            compared([first, table])
        assert str(error.value) == message + cure


def test_generators_are_refused(two):
    with pytest.raises(MetricError) as error:
        compared([replace(two[0], kind=names.GENERATOR), two[1]])
    assert str(error.value) == (
        "compare: kind of baseline must be one of classification, regression, language, got "
        "'generator'; generators have no rows in common"
    )


def test_blocks_with_other_characters_are_refused():
    first, second = text("ngram", 0), text("rnn", 0)
    with pytest.raises(MetricError) as error:
        compared([first, altered(second, characters=second.table["characters"] + 1)])
    assert str(error.value) == (
        "compare: characters of rnn must be that of ngram in every test row, got another; "
        "evaluate both models on the same data"
    )
