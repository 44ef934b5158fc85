"""Files are predicted block by block, and written whole or not at all."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from plumbline import artifacts
from plumbline.errors import DataError
from plumbline.inference.classify import predict_classifier
from plumbline.serving.files import predict_file
from plumbline.table_files import parquet
from tests.serving import folders


def test_a_table_is_predicted_in_blocks_as_the_pipeline_predicts_its_rows(tmp_path, monkeypatch):
    folder, data = folders.fnn(tmp_path)
    monkeypatch.setattr(parquet, "BATCH", 7)  # rows of a block
    path, out, seen = tmp_path / "rows.parquet", tmp_path / "found.parquet", []
    folders.raw_rows(data).to_parquet(path)
    outcome = predict_file(folder, path, out, progress=seen.append)
    found, want = pd.read_parquet(out), predict_classifier(folder, data)
    assert seen == [7, 14, 20]
    assert outcome.samples == len(want.table) == 20
    assert outcome.decisions == found["decision"].value_counts().to_dict()
    assert found["row"].tolist() == list(range(20))
    np.testing.assert_allclose(found[["score_low", "score_high"]], want.scores(), rtol=1e-6)


def test_a_csv_gives_what_the_same_rows_in_parquet_give(tmp_path):
    folder, data = folders.baseline(tmp_path)
    rows = folders.raw_rows(data)
    rows.to_parquet(tmp_path / "rows.parquet")
    rows.to_csv(tmp_path / "rows.csv", index=False)
    for name in ("rows.parquet", "rows.csv"):
        predict_file(folder, tmp_path / name, tmp_path / f"{name}.found.parquet")
    tables = [pd.read_parquet(tmp_path / f"rows.{k}.found.parquet") for k in ("parquet", "csv")]
    pd.testing.assert_frame_equal(*tables)


def test_a_folder_of_pictures_is_predicted_by_file(tmp_path):
    folder, data = folders.cnn(tmp_path)
    images = artifacts.read_images(data, 16, rows=120)[:3, 0]
    pictures = tmp_path / "new"
    (pictures / "more").mkdir(parents=True)
    for name, image in zip(("a.png", "b.png", "more/c.png"), images, strict=True):
        Image.fromarray(image).save(pictures / name)
    outcome = predict_file(folder, pictures, tmp_path / "found.parquet")
    found = pd.read_parquet(tmp_path / "found.parquet")
    assert outcome.samples == 3
    assert found["file"].tolist() == ["a.png", "b.png", "more/c.png"]
    predict_file(folder, pictures / "more/c.png", tmp_path / "one.parquet")
    one = pd.read_parquet(tmp_path / "one.parquet")
    np.testing.assert_allclose(one["score_bar0"], found["score_bar0"][2:], rtol=1e-6)


def test_texts_are_predicted_from_files_and_tables(tmp_path):
    folder, _ = folders.ngram(tmp_path)
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "a.txt").write_text("abc dea")
    (texts / "b.txt").write_text("dea")
    pd.DataFrame({"text": ["abc dea", "dea"]}).to_csv(tmp_path / "texts.csv", index=False)
    assert predict_file(folder, texts, tmp_path / "a.parquet").decisions == {}
    predict_file(folder, tmp_path / "texts.csv", tmp_path / "b.parquet")
    by_file, by_row = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in "ab")
    assert by_file["file"].tolist() == ["a.txt", "b.txt"]
    assert by_row["row"].tolist() == [0, 1]
    assert by_file["nll"].tolist() == by_row["nll"].tolist()
    assert by_file["characters"].tolist() == [7, 3]


def fault(tmp_path, folder, path, out="found.parquet"):
    before = {file for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(DataError) as caught:
        predict_file(folder, path, tmp_path / out)
    assert {file for file in tmp_path.rglob("*") if file.is_file()} == before
    return str(caught.value)


def test_a_fault_in_a_late_row_leaves_nothing_half_written(tmp_path, monkeypatch):
    folder, data = folders.fnn(tmp_path)
    rows = folders.raw_rows(data)
    rows.loc[15, "raw weight"] = np.inf
    rows.to_parquet(tmp_path / "rows.parquet")
    monkeypatch.setattr(parquet, "BATCH", 7)
    assert fault(tmp_path, folder, tmp_path / "rows.parquet") == (
        "fnn: column 'raw weight' must be finite in every row, got infinite values in 1 rows; "
        "correct or remove them"
    )


def test_files_that_are_unfit_are_named(tmp_path):
    folder, data = folders.fnn(tmp_path)
    rows = tmp_path / "rows.csv"
    assert fault(tmp_path, folder, rows) == (
        f"predict: file must exist, got none at {rows.as_posix()}"
    )
    folders.raw_rows(data).drop(columns="raw height").to_csv(rows, index=False)
    assert "columns of rows.csv must include ['raw height']" in fault(tmp_path, folder, rows)
    rows.write_text("raw height,raw weight\n")
    assert fault(tmp_path, folder, rows) == "predict: rows.csv must have a sample, got none"
    assert "must be a CSV or Parquet table for model 'fnn'" in fault(tmp_path, folder, data)
    assert "out must be a .parquet file" in fault(tmp_path, folder, rows, out="found.csv")
    assert "out must be a .parquet file" in fault(tmp_path, folder, rows, out="no/found.parquet")
    folders.raw_rows(data).to_parquet(tmp_path / "found.parquet")
    assert "another file than the input" in fault(tmp_path, folder, tmp_path / "found.parquet")


def test_a_broken_picture_is_named_and_a_generator_predicts_no_file(tmp_path):
    folder, _ = folders.cnn(tmp_path)
    (tmp_path / "new").mkdir()
    (tmp_path / "new/broken.png").write_bytes(b"no picture")
    assert fault(tmp_path, folder, tmp_path / "new") == (
        "cnn: image broken.png must be a readable picture, got: no picture of a known format"
    )
    generator, _ = folders.gan(tmp_path)
    assert fault(tmp_path, generator, tmp_path / "new") == (
        "predict: model must predict samples, got the generator 'gan'; load it with mlflow.pyfunc "
        "and give it classes"
    )
