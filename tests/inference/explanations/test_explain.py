"""Attributions of restored models, and the command that prints them."""

import pytest
import torch

from plumbline import artifacts, models
from plumbline.artifacts import ModelConfig
from plumbline.cli import main
from plumbline.errors import ArtifactError
from plumbline.inference.explanations.explain import explain
from tests.prepared_folders import write_table_folder

ARGUMENTS = {
    "inputs": 2, "hidden": [], "activation": "relu", "dropout": 0.0, "norm": "none",
    "init": "default",
}  # fmt: skip


def write_linear(folder, *, weights, classes=("low", "high")):
    """A model without hidden layers: its attributions are weight times step."""
    arguments = {**ARGUMENTS, "outputs": len(weights)}
    network = models.build("fnn", **arguments)
    with torch.no_grad():
        network.head.weight.copy_(torch.tensor(weights))
    config = ModelConfig(
        model="fnn", architecture="fnn", arguments=arguments, dataset="tabular", source="made_up",
        kind="classification" if classes else "regression", classes=classes,
        inputs=tuple({"name": n, "dtype": "float32", "shape": [-1]} for n in ("weight", "height")),
    )  # fmt: skip
    artifacts.save_model(folder, network.state_dict(), config)
    return folder


@pytest.fixture
def data(tmp_path):
    return write_table_folder(tmp_path / "tabular")


def steps(data):
    table = artifacts.read_split_table(data)
    features = table[["weight", "height"]]
    return (features - features[table["split"] == "train"].mean())[table["split"] == "test"]


def test_a_linear_classifier_is_explained_by_its_weights(tmp_path, data):
    model = write_linear(tmp_path / "fnn", weights=[[0.0, 0.0], [2.0, -0.5]])
    found = explain(model, data, nodes=2)
    expected = steps(data) * [2.0, -0.5]
    assert found.output == "log-odds of high"
    assert found.table[["weight", "height"]].to_numpy() == pytest.approx(
        expected.to_numpy(), rel=1e-5, abs=1e-5
    )
    assert found.gap < 1e-10
    assert found.spread == pytest.approx(expected.sum(axis=1).std(), rel=1e-5)
    other = explain(model, data, nodes=2, of="low")
    assert other.table["weight"].to_numpy() == pytest.approx(-found.table["weight"].to_numpy())


def test_features_are_listed_by_how_much_they_moved(tmp_path, data):
    model = write_linear(tmp_path / "fnn", weights=[[0.0, 0.0], [0.01, 3.0]])
    importance = explain(model, data, nodes=2).importance()
    assert importance["feature"].tolist() == ["height", "weight"]
    expected = (3.0 * steps(data)["height"]).abs().mean()
    assert importance["mean_absolute"][0] == pytest.approx(expected, rel=1e-5)


def test_of_many_rows_some_are_drawn_and_explained_as_they_are_among_all(tmp_path, data):
    model = write_linear(tmp_path / "fnn", weights=[[0.0, 0.0], [2.0, -0.5]])
    every = explain(model, data, nodes=2)
    some = explain(model, data, nodes=2, max_rows=7, seed=3)
    assert (len(every.table), every.of_rows) == (20, 20)
    assert (len(some.table), some.of_rows) == (7, 20)
    same = every.table.set_index("sample_id").loc[some.table["sample_id"]].reset_index()
    assert same[["weight", "height"]].to_numpy() == pytest.approx(
        some.table[["weight", "height"]].to_numpy()
    )
    again = explain(model, data, nodes=2, max_rows=7, seed=3)
    other = explain(model, data, nodes=2, max_rows=7, seed=4)
    assert again.table["sample_id"].tolist() == some.table["sample_id"].tolist()
    assert other.table["sample_id"].tolist() != some.table["sample_id"].tolist()


def test_the_command_says_how_many_rows_it_explains(tmp_path, data, capsys):
    model = write_linear(tmp_path / "fnn", weights=[[0.0, 0.0], [2.0, -0.5]])
    command = ["explain", str(model), str(data), "--nodes", "2"]
    assert main.main([*command, "--max-rows", "7", "--seed", "3"]) == 0
    assert capsys.readouterr().out.startswith("7 of 20 test rows, drawn with seed 3, log-odds of")
    assert main.main(command) == 0
    assert capsys.readouterr().out.startswith("20 test rows, log-odds of high, from")


def test_a_regression_is_explained_by_its_value(tmp_path):
    data = write_table_folder(tmp_path / "tabular", task="regression")
    found = explain(write_linear(tmp_path / "fnn", weights=[[1.0, 0.0]], classes=()), data, nodes=1)
    assert found.output == "value"
    assert found.table["height"].abs().max() == 0


def test_the_command_prints_features_and_gap(tmp_path, data, capsys):
    model = write_linear(tmp_path / "fnn", weights=[[0.0, 0.0], [0.01, 3.0]])
    assert main.main(["explain", str(model), str(data), "--out", str(tmp_path / "rows.csv")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "20 test rows, log-odds of high, from the mean training row"
    assert [line.split()[0] for line in lines[1:4]] == ["feature", "height", "weight"]
    assert lines[4].startswith("largest completeness gap ")
    written = (tmp_path / "rows.csv").read_text(encoding="utf-8").splitlines()
    assert written[0] == "sample_id,weight,height"
    assert len(written) == 21


def test_unfit_models_are_named(tmp_path, data):
    model = write_linear(tmp_path / "fnn", weights=[[0.0, 0.0], [0.01, 3.0]])
    with pytest.raises(ArtifactError) as error:
        explain(model, data, nodes=1, of="middle")
    assert str(error.value) == "fnn: class must be one of ['low', 'high'], got 'middle'"
    other = write_table_folder(tmp_path / "other", task="regression")
    with pytest.raises(ArtifactError) as error:
        explain(model, other, nodes=1)
    assert str(error.value) == (
        "fnn: features and classes must be those of other, got others; fit the model to this data"
    )
