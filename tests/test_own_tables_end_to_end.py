"""Tables of one's own through every stage of the table, by the real ``dvc repro``."""

import hashlib
import json
import math
import random
from statistics import NormalDist

import pandas as pd
import pytest

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.reporting.cards.check import check_cards
from tests.clone import Clone, lay

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

LAB = "studies/fairness/dvc.yaml"
TARGETS = f"card@fnn card@baseline data_audit@tabular {LAB}:cross_validate"
MITIGATION = " ".join(
    f"{LAB}:{stage}"
    for stage in ("mitigate@constraint", "mitigate_fnn@reweighing", "dilemma", "individual@fnn")
)
CLASSES = [f"kind {k:02d}" for k in range(12)]
QUICK = {
    "baseline": {"tabular": ["logistic_regression", "decision_tree"]},
    "train_fnn": {"hidden": [8], "optimisation": {"max_epochs": 3}},
    "evaluate": {"bootstrap_replicates": 100},
    "audit": {"bootstrap_replicates": 200},
    "data_audit": {"folds": 3},
}
ABOUT = {
    "title": "Visits", "description": "Made up.", "licence": "CC0-1.0", "citation": "nobody",
    "address": "https://example.org", "not_known": "Everything.",
}  # fmt: skip


def visits(count):
    """Rows of patients with three visits each, of whom one sex stands for twice as many.

    The first patient is the only one of a third sex, which two splits lack.
    """
    draw = random.Random(7)
    for visit in range(count):
        patient = random.Random(visit // 3)
        age, sex = patient.randint(20, 80), patient.choice("fm") if visit > 2 else "d"
        pulse, dose = draw.gauss(70 + age / 10, 5), draw.uniform(0, 1)
        score = (age - 50) / 15 + (pulse - 75) / 5 + dose + draw.gauss(0, 1)
        yield {
            "patient": visit // 3, "age": age, "sex": sex, "pulse": f"{pulse:.3f}",
            "dose": f"{dose:.4f}", "stands_for": 2 if sex == "f" else 1,
            "ill": "yes" if score > 0.5 else "no", "score": f"{score:.4f}",
            "kind": CLASSES[int(12 * NormalDist(0.7, 1.9).cdf(score))],
        }  # fmt: skip


VARIANTS = {
    "two classes, entities, weights": (
        {"target": "ill", "positive": "yes", "entity": "patient", "weight": "stands_for"},
        "label", "stratified",
    ),
    "a number, entities, weights": (
        {"target": "score", "positive": None, "entity": "patient", "weight": "stands_for"},
        "value", "k_fold",
    ),
    "twelve classes": (
        {"target": "kind", "positive": None, "entity": None, "weight": None}, "label", "stratified",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def made(root, tmp_path_factory):
    clone = Clone(root, tmp_path_factory.mktemp("own") / "plumbline")
    clone.env["PLUMBLINE_TRACKING"] = "off"
    (clone.folder / "dvc.lock").unlink()  # see `clone_reduced`
    path = clone.folder / LAB
    path.write_text(path.read_text().replace("foreach: [0, 1, 2, 3, 4]", "foreach: [0, 1]"))
    return clone


def lay_table(clone, variant):
    own, target, kind = VARIANTS[variant]
    rows = list(visits(600))
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    path = clone.folder / "data/raw/mine/visits.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    csv = {
        "path": "data/raw/mine/visits.csv", "encoding": "utf-8", "delimiter": ",",
    "decimal": ".", "thousands": None,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "missing_values": [""],
        "types": {}, "features": ["age", "pulse", "dose"], "about": ABOUT, "rest": None,
        "except": [], "split": None, "time": None,
        "attributes": {"sex": [], "age": [40, 60]}, **own,
    }  # fmt: skip
    overlay = {
        **QUICK,
        "data_tabular": {
            "source": "csv", "target": target, "attributes_as_features": True, "csv": csv
        },
        "cross_validation": {"kind": kind, "folds": 2},
    }  # fmt: skip
    lay(clone.folder, overlay)


def read(clone, path):
    return json.loads((clone.folder / path).read_text(encoding="utf-8"))


def weights_in_mitigation(made, weight, entities):
    for model, method in (("logistic_regression", "constraint"), ("fnn", "reweighing")):
        report = read(made, f"reports/mitigation/{model}_{method}.json")
        assert (report["weight"], report["entities"]) == (weight.sum(), entities)
        assert ("unweighted: the fit" in report["about"]) == (method == "constraint")
        path = made.folder / names.MITIGATED / f"{model}_{method}.parquet"
        found = Predictions.read(path).table
        right = (found["y_true"] == found["y_pred"]) * found[names.WEIGHT]
        assert report["accuracy"]["value"] == pytest.approx(right.sum() / weight.sum())
    tables = read(made, "reports/dilemma.json")["impossibility"]
    assert {each["entities"] for each in tables} == {entities}
    single = read(made, "reports/individual/fnn.json")
    assert single["weight"] == weight.sum()
    assert any(flip["rows"] for flip in single["counterfactual_changes"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_table_of_ones_own_goes_through_every_stage(made, variant):
    lay_table(made, variant)
    own, target, kind = VARIANTS[variant]
    mitigated = own["weight"] is not None and target == "ill"
    made.run(f"dvc repro {TARGETS} {MITIGATION if mitigated else ''}")
    table = pd.read_parquet(made.folder / names.PREPARED / "tabular/table.parquet")
    test = table[table["split"] == names.TEST].set_index("sample_id")
    absent = read(made, "data/prepared/tabular/schema.json")["about"]["absent_groups"]["sex"]
    assert set(absent) == {"d"}
    quantity = names.RMSE if target == "value" else names.ACCURACY
    for model in ("fnn", "baseline"):
        found = Predictions.read(made.folder / names.PREDICTIONS / f"{model}.parquet").table
        metrics = read(made, f"reports/metrics/{model}.json")
        audit = read(made, f"reports/audits/{model}.json")
        weight = found.get(names.WEIGHT, pd.Series(1.0, index=found.index))
        lost = (found["y_pred"] - found["y_true"]) ** 2
        by_hand = (
            math.sqrt((weight * lost).sum() / weight.sum())
            if target == "value"
            else (weight * (lost == 0)).sum() / weight.sum()
        )
        assert metrics["metrics"][quantity]["value"] == pytest.approx(by_hand)
        # A group's value is its rows' alone, with their weights.
        women = (found["sex"] == "f").to_numpy()
        (row,) = [
            r
            for r in audit["rows"]
            if (r["attribute"], r["group"], r["metric"]) == ("sex", "f", quantity)
        ]
        own_rows = (weight * (lost if target == "value" else lost == 0))[women].sum()
        share = own_rows / weight[women].sum()
        assert row["value"] == pytest.approx(math.sqrt(share) if target == "value" else share)
        card = made.folder / f"reports/cards/{model}.md"
        assert check_cards(made.folder, [card])[1] == []
        said = card.read_text(encoding="utf-8")
        assert "Groups of sex without a row in a split: d (n = 3; none in " in said
        better = "lower root mean squared error" if target == "value" else "higher AUROC"
        assert f"A {better} is better." in said
        facts = read(made, f"data/models/{model}/config.json")["facts"]
        if own["entity"] is None:
            assert not {names.ENTITY, names.WEIGHT} & {*table, *found}
            assert not {"entities", "weight"} & {*metrics, *audit}
            assert "weighted_by" not in facts
            continue
        pd.testing.assert_series_equal(
            found.set_index("sample_id")[names.ENTITY], test[names.ENTITY]
        )
        entities = test[names.ENTITY].nunique()
        assert (metrics["entities"], audit["entities"]) == (entities, entities)
        assert metrics["weight"] == audit["weight"] == test[names.WEIGHT].sum()
        assert f"unweighted_rows/{quantity}" in metrics["reference"]
        assert facts["weighted_by"] == names.WEIGHT
        assert "Rows count by their weight" in said
        assert "entities. Intervals allow for" in said
    if mitigated:
        weights_in_mitigation(made, test[names.WEIGHT], test[names.ENTITY].nunique())
    folds = read(made, "reports/cross_validation.json")
    data = read(made, "reports/data_audits/tabular.json")
    datasheet = (made.folder / "reports/datasheets/tabular.md").read_text(encoding="utf-8")
    assert folds["kind"] == kind
    if own["entity"] is None:
        assert len(read(made, "data/prepared/tabular/schema.json")["classes"]) == 12
        assert not {"entities", "weighted"} & set(folds)
        return
    assert data["entities"] == table[names.ENTITY].nunique() == 200
    assert folds["entities"] == table.loc[table["split"] != names.TEST, names.ENTITY].nunique()
    assert folds["weighted"] is True
    assert "column 'patient', of which the prepared table keeps a pseudonym, a " in datasheet
