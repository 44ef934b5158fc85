"""Explanations of every kind of model through the command, as table and page."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from plumbline.artifacts import read_json, read_split_table
from plumbline.cli import main
from plumbline.errors import DataError
from plumbline.serving import explanation_page
from tests.serving import folders

CASES = {
    "fnn": (folders.fnn, "log-odds of high, from the mean training row", "<svg"),
    "baseline": (folders.baseline, "probability of high, from the mean training row", "<svg"),
    "cnn": (folders.cnn, "log-odds of the predicted class, from the mean training image", "<img"),
    "rnn": (folders.rnn, "log-probability, in nats, of the likeliest next character, ", "<span"),
    "ngram": (folders.ngram, "log-probability, in nats, of the likeliest next character, ",
              "<span"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_command_explains_every_kind_of_model(name, tmp_path, capsys):
    make, told, shown = CASES[name]
    model, _ = make(tmp_path)
    out, page = tmp_path / "rows.parquet", tmp_path / "page.html"
    words = ["explain", str(model), "--max-rows", "3", "--nodes", "4"]
    assert main.main([*words, "--out", str(out), "--page", str(page)]) == 0
    assert told in capsys.readouterr().out
    assert len(pd.read_parquet(out)) == 3
    text = page.read_text(encoding="utf-8")
    assert shown in text
    assert explanation_page.CAVEAT in text
    assert text.count("<img") == (6 if name == "cnn" else 0)
    assert not re.search(r"https?://(?!www\.w3\.org)", text)


@pytest.mark.parametrize("method", ["integrated_gradients", "grad_cam", "occlusion"])
def test_a_network_of_timm_is_explained_for_a_class_by_each_method(method, tmp_path):
    data = folders.images(tmp_path)
    arguments = {
        "architecture": "test_efficientnet", "outputs": 3, "image_size": 16, "channels": 1,
        "mean": [0.5], "scale": [0.5],
    }  # fmt: skip
    model = folders.save(tmp_path, data, "finetune_full", "timm", arguments, "classification")
    out = tmp_path / "rows.parquet"
    words = ["explain", str(model), "--method", method, "--class", "bar1", "--max-rows", "2"]
    assert main.main([*words, "--nodes", "2", "--out", str(out)]) == 0
    rows = pd.read_parquet(out)
    assert rows["explained"].tolist() == ["bar1", "bar1"]
    assert [len(values) for values in rows["attribution"]] == [256, 256]
    assert read_json(model / "config.json")["classes"] == ["bar0", "bar1", "bar2"]


def test_a_model_of_mlflow_is_explained_on_the_data_of_the_work_tree(tmp_path, capsys):
    model, data = folders.fnn(tmp_path)
    logged = shutil.copytree(model, tmp_path / "elsewhere/fnn")
    (logged / "prepared").mkdir()
    shutil.copy(data / "schema.json", logged / "prepared")
    words = ["explain", str(logged), "--nodes", "2"]
    assert main.main([*words, "--root", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("20 test rows, log-odds of high")


def test_pictures_and_raw_rows_of_a_file_are_explained_as_test_rows_are(tmp_path, capsys):
    model, data = folders.cnn(tmp_path / "a")
    table = read_split_table(data)
    images = np.load(data / "images_16.npy")[(table["split"] == "test").to_numpy()]
    (tmp_path / "own").mkdir()
    for number in range(2):
        Image.fromarray(images[number, 0]).save(tmp_path / f"own/{number}.png")
    out, page = tmp_path / "rows.parquet", tmp_path / "page.html"
    words = ["--nodes", "4", "--out", str(out)]
    assert main.main(["explain", str(model), *words]) == 0
    expected = pd.read_parquet(out)["attribution"][:2]
    own = ["--file", str(tmp_path / "own"), "--page", str(page)]
    assert main.main(["explain", str(model), *words, *own]) == 0
    assert "2 rows, log-odds of the predicted class" in capsys.readouterr().out
    found = pd.read_parquet(out)
    assert found["sample_id"].tolist() == ["0.png", "1.png"]
    assert "true" not in found
    for one, other in zip(found["attribution"], expected, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    assert "1.png" in page.read_text(encoding="utf-8")

    model, data = folders.fnn(tmp_path / "b")
    folders.raw_rows(data).to_csv(tmp_path / "rows.csv", index=False)
    assert main.main(["explain", str(model), *words]) == 0
    expected = pd.read_parquet(out)["weight"]
    assert main.main(["explain", str(model), *words, "--file", str(tmp_path / "rows.csv")]) == 0
    assert pd.read_parquet(out)["weight"].to_numpy() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("make", "words", "message"),
    [
        (folders.fnn, ["--prompt", "x"], "explain: prompt must be a text for a language model, got "
         "'x' for fnn; leave it out"),
        (folders.rnn, ["--file", "."], "explain: file must be a table or pictures for a model of "
         "these, got . for 'rnn'; give a text with --prompt"),
        (folders.fnn, ["--file", "none.csv"], "explain: file must exist, got none at none.csv"),
    ],
)  # fmt: skip
def test_unfit_samples_are_refused(make, words, message, tmp_path, caplog):
    model, _ = make(tmp_path)
    assert main.main(["explain", str(model), *words]) != 0
    assert caplog.messages == [message]


def test_colours_are_white_at_0_and_full_at_the_largest_absolute_value():
    found = explanation_page.heat(np.array([[0.0, 2.0], [-2.0, 1.0]]))
    assert found.tolist() == [
        [[255, 255, 255], [213, 94, 0]], [[0, 114, 178], [234, 174, 128]]
    ]  # fmt: skip
    assert (explanation_page.heat(np.zeros((2, 2))) == 255).all()


@pytest.mark.parametrize(
    ("out", "page", "message"),
    [
        ("a.csv", None, "explain: out must be a .parquet file in a folder that exists, got a.csv; "
         "choose another"),
        (None, "none/a.html", "explain: page must be a .html file in a folder that exists, got "
         "none/a.html; choose another"),
    ],
)  # fmt: skip
def test_unfit_files_are_refused_before_anything_is_computed(out, page, message, tmp_path):
    from pathlib import Path

    with pytest.raises(DataError) as error:
        explanation_page.check_files(out and Path(out), page and Path(page))
    assert str(error.value) == message
