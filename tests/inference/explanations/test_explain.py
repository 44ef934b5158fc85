"""Attributions of restored models, and the command that prints them."""

import itertools

import pandas as pd
import pytest
import torch

from plumbline import artifacts, models
from plumbline.artifacts import ModelConfig
from plumbline.cli import main
from plumbline.errors import ArtifactError
from plumbline.inference.explanations.explain import explain
from tests.prepared_folders import write_table_folder
from tests.serving import folders

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
    assert (
        main.main(["explain", str(model), str(data), "--out", str(tmp_path / "rows.parquet")]) == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "20 test rows, log-odds of high, from the mean training row"
    assert [line.split()[0] for line in lines[1:4]] == ["feature", "height", "weight"]
    assert lines[4].startswith("largest completeness gap ")
    written = pd.read_parquet(tmp_path / "rows.parquet")
    assert list(written) == ["sample_id", "explained", "probability", "true", "weight", "height"]
    assert len(written) == 20


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


def test_gradients_of_a_table_are_those_of_captum(tmp_path):
    from captum.attr import IntegratedGradients

    from plumbline.inference.restore import restore

    model, data = folders.fnn(tmp_path)
    found = explain(model, data, nodes=30)
    network, _ = restore(model)
    table = artifacts.read_split_table(data)
    features = torch.tensor(table[["weight", "height"]].to_numpy(copy=True))
    test, training = (torch.tensor((table["split"] == name).tolist()) for name in ("test", "train"))
    expected = IntegratedGradients(lambda rows: network.double()(rows).diff(dim=1)[:, 0]).attribute(
        features[test], features[training].mean(dim=0)[None], n_steps=30, method="gausslegendre"
    )
    own = found.table[["weight", "height"]].to_numpy()
    assert own == pytest.approx(expected.detach().numpy(), abs=1e-5)  # features are float32


def test_the_time_bound_ends_with_what_is_done_and_says_so(tmp_path, monkeypatch, capsys):
    model, data = folders.cnn(tmp_path)
    clock = itertools.count(step=10.0)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    found = explain(model, data, method="grad_cam", seconds=5)
    assert (len(found.table), found.wanted, found.of_rows) == (16, 24, 24)
    whole = explain(model, data, method="grad_cam").table.set_index("sample_id")
    for row in found.table.to_dict("records"):
        assert row["attribution"] == pytest.approx(
            whole.loc[row["sample_id"], "attribution"], abs=1e-5
        )
    monkeypatch.undo()
    assert main.main(["explain", str(model), "--seconds", "0"]) == 0
    assert capsys.readouterr().out.startswith(
        "16 of 24 test rows, drawn with seed 0 (stopped after 0 s; more with --seconds), log-odds"
    )


def test_a_generator_and_an_unknown_method_are_refused(tmp_path):
    for (model, data), options, message in (
        (
            folders.gan(tmp_path / "a"), {},
            "gan: model must predict a class, a value or a character, got the generator "
            "'generator'",
        ),
        (
            folders.baseline(tmp_path / "c"), {"method": "integrated_gradients"},
            "baseline: method must be one of occlusion, got 'integrated_gradients'",
        ),
        (
            folders.rnn(tmp_path / "d"), {"of": "z"},
            "rnn: character must be one of ['�', ' ', 'a', 'b', 'c', 'd', 'e'], got 'z'",
        ),
    ):  # fmt: skip
        with pytest.raises(ArtifactError) as error:
            explain(model, data, **options)
        assert str(error.value) == message
