"""A table of one's own with 11 % positives, through the stages of the pipeline in one process."""

import hashlib
import importlib.util
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import balanced_accuracy_score, f1_score

from plumbline import artifacts, names, params
from plumbline.artifacts import ModelConfig, Predictions
from plumbline.errors import ParamsError
from plumbline.params.apply import merge
from plumbline.runs.fit_context import FitContext
from plumbline.tracking import pyfunc

ROWS = 1500
RULES = {
    "argmax": {},
    "threshold": {"decision": "f1"},
    "balanced": {"class_weights": "balanced"},
}
MODELS = ("fnn", "baseline")
QUICK = {
    "baseline": {"tabular": ["logistic_regression", "decision_tree"], "max_rows": 800},
    "train_fnn": {"hidden": [8], "optimisation": {"max_epochs": 12, "lr": 0.01}},
    "evaluate": {"bootstrap_replicates": 50},
    "audit": {"bootstrap_replicates": 50, "max_order": 1},
    "individual": {"bootstrap_replicates": 50},
}


def write_loans(folder):
    """Write rows of whom 11 % default, none of them with a chance of one half."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(ROWS, 3))
    chance = 1 / (1 + np.exp(2.45 - 0.75 * x[:, 0] + 0.5 * x[:, 1]))
    made = pd.DataFrame(x, columns=["debt", "income", "age"]).round(4)
    made["sex"] = np.where(rng.random(ROWS) < 0.5, "f", "m")
    made["default"] = np.where(rng.random(ROWS) < chance, "yes", "no")
    path = folder / "data/raw/mine/defaults.csv"
    path.parent.mkdir(parents=True)
    made.to_csv(path, index=False)
    assert 0.10 < (made["default"] == "yes").mean() < 0.12
    return path


def parameters(root, path, changes):
    def read(name):
        return yaml.safe_load((root / name).read_text(encoding="utf-8"))

    table = read("examples/csv.yaml")["data_tabular"]
    table["csv"] |= {
        "path": "data/raw/mine/defaults.csv",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "target": "default", "types": {}, "attributes": {"sex": []}, "entity": None,
    }  # fmt: skip
    how = {block: {"classification": changes} for block in ("baseline", "train_fnn")}
    shared = {**QUICK, "data_tabular": {**table, "attributes_as_features": True}}
    raw = merge(merge(read("params.yaml"), shared), how)
    study = merge(read("studies/fairness/params.yaml"), QUICK)
    del raw["individual"]
    lab = {key: study[key] for key in read("studies/fairness/params.yaml")}
    return params.check(raw), params.validate(params.STUDIES["fairness"], lab, "fairness")


class Stages:
    """The scripts of the pipeline, each run as ``main`` with the surroundings of a folder."""

    def __init__(self, root, folder, changes):
        self.root, self.folder = root, folder
        self.params, self.study = parameters(root, write_loans(folder), changes)
        (folder / "policy.yaml").write_bytes((root / "policy.yaml").read_bytes())

    def __call__(self, script, item):
        spec = importlib.util.spec_from_file_location(script, self.root / f"pipelines/{script}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        work = self.folder / "work" / script / item
        fit = FitContext(
            stage=f"{script}@{item}", work=work / "fit", seed=5, trainer=self.params.trainer
        )
        module.main(
            SimpleNamespace(
                item=item, params=self.params, study=self.study, seed=5, root=self.folder,
                work=work, fit=fit, out=self.out, metrics=lambda values: None,
            )
        )  # fmt: skip

    def out(self, path):
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        return self.folder / path


@pytest.fixture(scope="module", params=RULES)
def made(request, root, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    stages = Stages(root, folder, RULES[request.param])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        stages("prepare", "tabular")
        for model in MODELS:
            stages("train", model)
            stages("evaluate", model)
        stages("compare", "tabular")
        for model in MODELS:
            stages("audit", model)
            stages("card", model)
        stages("individual", "fnn")
        for method in ("none", "group_thresholds", "reject_option", "group_calibration"):
            stages("mitigate_fnn", method)
    return request.param, folder


def read(folder, path):
    return artifacts.read_json(folder / path)


@pytest.mark.parametrize("model", MODELS)
def test_argmax_never_selects_and_a_threshold_or_weights_find_positives(made, model):
    rule, folder = made
    table = Predictions.read(folder / names.PREDICTIONS / f"{model}.parquet").table
    found = (table["y_pred"] == table["y_true"])[table["y_true"] == 1].mean()
    if rule == "argmax":
        assert table["y_pred"].sum() <= 1
        return
    assert found > 0.3
    assert balanced_accuracy_score(table["y_true"], table["y_pred"]) > 0.58


@pytest.mark.parametrize("model", MODELS)
def test_every_stage_uses_the_decision_of_the_model(made, model):
    rule, folder = made
    predictions = Predictions.read(folder / names.PREDICTIONS / f"{model}.parquet")
    config = ModelConfig.read(folder / names.MODEL_DIR / model)
    metrics = read(folder, f"reports/metrics/{model}.json")
    audit = read(folder, f"reports/audits/{model}.json")
    card = (folder / f"reports/cards/{model}.md").read_text(encoding="utf-8")
    assert config.decision() == predictions.decision
    true, decided = predictions.table["y_true"], predictions.table["y_pred"]
    values = {name: entry["value"] for name, entry in metrics["metrics"].items()}
    assert values["f1_macro"] == pytest.approx(f1_score(true, decided, average="macro"))
    (selected,) = [
        row["value"]
        for row in audit["rows"]
        if (row["attribute"], row["metric"]) == (names.OVERALL, names.SELECTION_RATE)
    ]
    assert selected == pytest.approx(decided.mean())
    if rule != "threshold":
        assert config.decision() is None
        assert not {"decision"} & {*metrics, *audit}
        assert "Decision:" not in card
        return
    decision = predictions.decision
    assert (decision.positive, decision.chosen_for) == ("yes", "f1")
    scores = predictions.scores()[:, 1]
    assert (decided == (scores >= decision.threshold)).all()
    assert metrics["decision"] == audit["decision"] == artifacts.plain(decision.facts())
    assert audit["notes"][0] == f"Decisions: {decision.sentence()}"
    assert "Decision: yes where its probability is at least" in card
    assert f"chosen on the validation split ({decision.rows} rows) for F1 of yes. The best" in card


@pytest.mark.parametrize("made", ["threshold"], indirect=True)
def test_the_threshold_is_the_best_on_validation_rows_alone(made):
    _, folder = made
    from plumbline.inference.classify import predict_classifier

    data = folder / names.PREPARED / names.TABULAR
    found = predict_classifier(folder / names.MODEL_DIR / "fnn", data, split=names.VAL)
    true, score = found.table["y_true"], found.scores()[:, 1]
    best = max(f1_score(true, score >= cut, zero_division=0) for cut in np.unique(score))
    assert f1_score(true, found.table["y_pred"]) == pytest.approx(best)
    assert found.decision.reached == pytest.approx(best)


def test_scores_do_not_depend_on_the_threshold_and_do_on_the_weights(made):
    rule, folder = made
    table = Predictions.read(folder / names.PREDICTIONS / "fnn.parquet").table
    card = (folder / "reports/cards/fnn.md").read_text(encoding="utf-8")
    facts = ModelConfig.read(folder / names.MODEL_DIR / "fnn").facts
    mean = table["score_yes"].mean()
    if rule != "balanced":
        assert mean == pytest.approx(0.11, abs=0.04)
        assert "class_weights" not in facts
        return
    assert mean > 0.35  # the probability in a table with as many rows of each class
    rows = artifacts.read_split_table(folder / names.PREPARED / names.TABULAR)
    y = rows.loc[rows["split"] == names.TRAIN, "y"].to_numpy()
    expected = len(y) / (2 * np.bincount(y))
    assert list(facts["class_weights"].values()) == pytest.approx(expected.tolist(), rel=1e-6)
    assert "Classes were weighted in the fit: no" in card
    assert "The weights change probabilities" in card


@pytest.mark.parametrize("model", MODELS)
def test_mlflow_gets_the_decisions_beside_the_scores(made, model):
    _, folder = made
    found = Predictions.read(folder / names.PREDICTIONS / f"{model}.parquet")
    rows = artifacts.read_split_table(folder / names.PREPARED / names.TABULAR)
    rows = rows[rows["split"] == names.TEST].reset_index(drop=True)
    got = pyfunc._load_pyfunc(str(folder / names.MODEL_DIR / model)).predict(rows)
    classes = np.array(found.classes, dtype=object)
    assert got["decision"].tolist() == classes[found.table["y_pred"]].tolist()
    scores = got[[f"score_{name}" for name in found.classes]].to_numpy()
    np.testing.assert_array_equal(scores, found.scores())


def test_a_card_says_how_many_rows_a_model_was_fitted_to(made):
    _, folder = made
    card = (folder / "reports/cards/baseline.md").read_text(encoding="utf-8")
    facts = ModelConfig.read(folder / names.MODEL_DIR / "baseline").facts
    assert facts["train_samples"] == 900
    for model, rows in facts["fitted_rows"].items():
        assert abs(rows - 800) <= 1
        name = model.replace("_", " ")
        assert f"The model {name} was fitted to {rows} of the 900 training rows" in card
    assert len(facts["fitted_rows"]) == 2


def test_mitigation_starts_from_the_decisions_of_the_model(made):
    rule, folder = made
    plain = Predictions.read(folder / names.PREDICTIONS / "fnn.parquet").table
    none = read(folder, "reports/mitigation/fnn_none.json")
    assert none["changed"]["rows"] == 0
    right = (plain["y_pred"] == plain["y_true"]).mean()
    assert none["accuracy"]["value"] == pytest.approx(right)
    for method in ("none", "reject_option", "group_calibration"):
        settings = read(folder, f"reports/mitigation/fnn_{method}.json")["settings"]
        assert ("threshold" in settings) == (rule == "threshold"), method
    groups = read(folder, "reports/mitigation/fnn_group_thresholds.json")
    (unmoved,) = [point for point in groups["curve"] if point["strength"] == 0]
    assert unmoved["changed"]["rows"] == 0


def test_a_counterfactual_change_is_one_of_the_models_own_decisions(made):
    rule, folder = made
    individual = read(folder, "reports/individual/fnn.json")
    (changes,) = individual["counterfactual_changes"]
    table = Predictions.read(folder / names.PREDICTIONS / "fnn.parquet").table
    moved = [row["changed"]["value"] for row in changes["rows"]]
    assert len(moved) == 2
    if table["y_pred"].nunique() == 1:
        assert moved == [0, 0]  # nobody is selected with either sex
    if rule != "argmax":
        assert max(moved) > 0


def test_three_classes_have_no_threshold(root, tmp_path):
    stages = Stages(root, tmp_path, {"decision": 0.3})
    path = tmp_path / "data/raw/mine/defaults.csv"
    rows = pd.read_csv(path)
    rows["default"] = np.arange(len(rows)) % 3
    rows["default"] = rows["default"].map({0: "low", 1: "middle", 2: "high"})
    rows.to_csv(path, index=False)
    block = stages.params.data_tabular
    csv = block.csv.model_copy(
        update={"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "positive": None}
    )
    stages.params = stages.params.model_copy(
        update={"data_tabular": block.model_copy(update={"csv": csv})}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        stages("prepare", "tabular")
        for model, where in (("fnn", "train_fnn"), ("baseline", "baseline")):
            with pytest.raises(ParamsError) as error:
                stages("train", model)
            assert str(error.value) == (
                f"{where}: classification.decision must be argmax for 3 classes, got 0.3; a "
                "threshold divides two classes"
            )
