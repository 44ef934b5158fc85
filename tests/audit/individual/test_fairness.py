"""Single decisions: a table made by hand, and flips of models whose answer is known."""

import numpy as np
import pandas as pd
import pytest

from plumbline import names
from plumbline.artifacts import Predictions, dump_json, plain
from plumbline.audit.individual.document import individual_to_markdown
from plumbline.audit.individual.fairness import predictions_to_individual
from plumbline.metrics.intervals import shares
from plumbline.metrics.intervals.resampling import Resampling
from tests.audit import tables

OPTIONS = {"neighbours": 2, "options": Resampling(0.95, replicates=200, seed=0)}


def prepared(n=60, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"sample_id": [f"s{i}" for i in range(n)], "x": rng.normal(size=n)})
    table["split"] = np.where(np.arange(n) % 3 == 0, names.TEST, names.TRAIN)
    table["sex"] = np.where(np.arange(n) % 2 == 0, "f", "m")
    table["is_m"] = (table["sex"] == "m").astype(float)
    table["y"] = rng.integers(2, size=n)
    return table


def by_rule(table, weight):
    """Scores of a logistic rule of x and of the feature that stands for sex."""
    p = 1 / (1 + np.exp(-(table["x"] + weight * table["is_m"]).to_numpy()))
    return np.stack([1 - p, p], axis=1)


def report(table, weight, *, sees=True, entity=None, times=None):
    test = table[table["split"] == names.TEST].reset_index(drop=True)
    score = by_rule(test, weight)
    columns = {
        "sample_id": test["sample_id"], "split": test["split"], "y_true": test["y"],
        "y_pred": score.argmax(axis=1), "score_no": score[:, 0], "score_yes": score[:, 1],
        "sex": test["sex"],
    }  # fmt: skip
    if entity is not None:
        columns[names.ENTITY] = entity(np.arange(len(test)))
    if times is not None:
        columns[names.WEIGHT] = times[(table["split"] == names.TEST).to_numpy()]
    predictions = Predictions(
        pd.DataFrame(columns), "fnn", names.CLASSIFICATION, names.TABULAR, "people",
        ("no", "yes"), "yes", ("sex",),
    )  # fmt: skip
    return predictions_to_individual(
        predictions,
        table,
        features=["x", "is_m"] if sees else ["x"],
        attribute_features={"sex": ["is_m"]},
        rescore=lambda rows: by_rule(rows, weight),
        **OPTIONS,
    )


def test_consistency_of_a_table_made_by_hand():
    """Test rows at 0, 1, 5, 6, 7: decisions by x > 5.5, labels as given."""
    table = pd.DataFrame({"x": [0.0, 1, 5, 6, 7, 0, 10], "y": [0, 1, 1, 1, 0, 0, 1]})
    table["sample_id"] = [f"s{i}" for i in range(7)]
    table["split"] = [names.TEST] * 5 + [names.TRAIN] * 2
    test = table[:5]
    yes = (test["x"] > 5.5).astype(float)
    columns = {"sample_id": test["sample_id"], "split": test["split"], "y_true": test["y"],
               "y_pred": yes.astype(int), "score_no": 1 - yes, "score_yes": yes,
               "sex": list("fffmm")}  # fmt: skip
    predictions = Predictions(
        pd.DataFrame(columns), "fnn", names.CLASSIFICATION, names.TABULAR, "people",
        ("no", "yes"), "yes", ("sex",),
    )  # fmt: skip
    found = predictions_to_individual(
        predictions, table, features=["x"], attribute_features={}, rescore=lambda _: None, **OPTIONS
    )
    # Near 0: 1, 5; near 1: 0, 5; near 5: 6, 7; near 6: 5, 7; near 7: 6, 5. Decisions 0 0 0 1 1.
    decisions = found["consistency"]["decisions"]
    assert decisions["value"] == pytest.approx(1 - (0 + 0 + 2 + 1 + 1) / 10)
    # Labels 0 1 1 1 0: both differ, one differs, one, one, both.
    assert found["consistency"]["labels"]["value"] == pytest.approx(1 - (2 + 1 + 1 + 1 + 2) / 10)
    assert found["consistency"]["noise"]["value"] == pytest.approx(decisions["value"])
    by_group = {g["group"]: g["value"] for g in found["consistency"]["groups"]}
    assert by_group == {"f": pytest.approx(1 - 2 / 6), "m": pytest.approx(1 - 2 / 4)}
    assert found["counterfactual_changes"] == [
        {"attribute": "sex", "features": [], "not_applicable": "the attribute is not a feature",
         "rows": []}
    ]  # fmt: skip


def test_a_model_that_uses_the_attribute_changes_by_what_the_rule_says():
    table = prepared()
    (flip,) = report(table, 1.5)["counterfactual_changes"]
    assert (flip["not_applicable"], flip["features"]) == (None, ["is_m"])
    test = table[table["split"] == names.TEST]
    for row in flip["rows"]:
        own = test[test["sex"] == row["group"]]
        before = by_rule(own, 1.5)
        after = by_rule(own.assign(is_m=float(row["to"] == "m")), 1.5)
        moved = before.argmax(axis=1) != after.argmax(axis=1)
        assert row["changed"]["value"] == pytest.approx(moved.mean())
        ends = shares.share_interval(moved.sum(), len(own), confidence=0.95)
        assert [row["changed"]["low"], row["changed"]["high"]] == pytest.approx(
            [float(end) for end in ends]
        )
        assert row["score"]["value"] == pytest.approx((after - before)[:, 1].mean())
        assert np.sign(row["score"]["low"]) == np.sign(row["score"]["high"]) != 0
    signs = {row["group"]: np.sign(row["score"]["value"]) for row in flip["rows"]}
    assert signs == {"f": 1, "m": -1}


def test_a_model_that_has_the_attribute_and_ignores_it_changes_nothing():
    (flip,) = report(prepared(), 0.0)["counterfactual_changes"]
    for row in flip["rows"]:
        assert row["changed"]["value"] == row["score"]["value"] == 0
        assert row["changed"]["high"] > 0  # a few rows do not prove it


def test_a_model_that_was_not_given_the_attribute_cannot_be_asked():
    (flip,) = report(prepared(), 0.0, sees=False)["counterfactual_changes"]
    assert (flip["not_applicable"], flip["rows"]) == ("the attribute is not a feature", [])


def test_rows_of_one_entity_count_as_one():
    table = prepared(240)
    pairs = report(table, 1.5, entity=lambda i: (i // 4).astype(str))["counterfactual_changes"][0][
        "rows"
    ]
    alone = report(table, 1.5)["counterfactual_changes"][0]["rows"]
    for one, other in zip(pairs, alone, strict=True):
        assert one["changed"]["value"] == other["changed"]["value"]
        wide, narrow = (r["changed"]["high"] - r["changed"]["low"] for r in (one, other))
        assert wide > narrow


def test_a_regression_is_said_to_have_no_decisions():
    found = predictions_to_individual(
        tables.numbers(), pd.DataFrame(), features=[], attribute_features={},
        rescore=lambda _: None, **OPTIONS,
    )  # fmt: skip
    assert (
        found["skipped"]
        == "individual fairness is measured for classifiers; the model is a regression"
    )
    assert individual_to_markdown(found) == (
        "# Individual fairness of fnn\n\nSkipped: individual fairness is measured for "
        "classifiers; the model is a regression.\n"
    )


def test_the_page_shows_every_number_and_escapes_groups():
    table = prepared()
    found = report(table.replace({"sex": {"f": "a|b"}}), 1.5)
    assert "NaN" not in dump_json(found)
    page = individual_to_markdown(found)
    assert "a\\|b" in page
    assert "| m | a\\|b |" in page
    assert "chance level: labels drawn from the predicted probabilities" in page


def test_flips_count_rows_by_their_weights_and_consistency_says_that_it_does_not():
    table = prepared()
    times = np.random.default_rng(1).integers(1, 5, len(table)).astype(float)
    plain, weighted = report(table, 1.5), report(table, 1.5, times=times)
    assert weighted["consistency"] == plain["consistency"]
    test = (table["split"] == names.TEST).to_numpy()
    for row in weighted["counterfactual_changes"][0]["rows"]:
        own = test & (table["sex"] == row["group"]).to_numpy()
        before = by_rule(table[own], 1.5)
        after = by_rule(table[own].assign(is_m=float(row["to"] == "m")), 1.5)
        moved = before.argmax(axis=1) != after.argmax(axis=1)
        assert row["changed"]["value"] == pytest.approx(np.average(moved, weights=times[own]))
        assert row["score"]["value"] == pytest.approx(
            np.average((after - before)[:, 1], weights=times[own])
        )
        assert row["score"]["low"] < row["score"]["value"] < row["score"]["high"]
        assert row["changed"]["low"] < row["changed"]["value"] < row["changed"]["high"]
    text = individual_to_markdown(weighted)
    assert "**Unweighted**: each row counts once" in text
    assert "Rows are weighted, except in the medians." in text
    assert "**Unweighted**" not in individual_to_markdown(plain)


def test_flips_by_whole_weights_are_those_of_rows_repeated_in_one_entity():
    table = prepared(120)
    times = np.random.default_rng(2).integers(1, 4, len(table))
    order = np.repeat(np.arange(len(table)), times)
    again = table.iloc[order].reset_index(drop=True)
    again["sample_id"] = [f"x{i}" for i in range(len(again))]
    test = (again["split"] == names.TEST).to_numpy()
    # Medians of the training rows, 0 and 1, are the same either way.
    one = report(table, 1.5, times=times.astype(float))["counterfactual_changes"][0]["rows"]
    other = report(again, 1.5, entity=lambda _: order[test])["counterfactual_changes"][0]["rows"]
    for own, repeated in zip(one, other, strict=True):
        for part in ("changed", "score"):
            assert own[part]["value"] == pytest.approx(repeated[part]["value"])
        assert [own["score"]["low"], own["score"]["high"]] == pytest.approx(
            [repeated["score"]["low"], repeated["score"]["high"]]
        )


def test_a_group_without_any_weight_has_no_share_that_changes():
    table = prepared()
    found = report(table, 1.5, times=(table["sex"] == "f").to_numpy(dtype=float))
    rows = {row["group"]: row for row in found["counterfactual_changes"][0]["rows"]}
    assert np.isnan(list(rows["m"]["changed"].values())).all()
    assert np.isnan(list(rows["m"]["score"].values())).all()
    assert rows["f"]["score"]["value"] > 0
    assert "| m | f | 10 | " in individual_to_markdown(plain(found))
