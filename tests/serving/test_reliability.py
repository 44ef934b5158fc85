"""Predictions carry how reliable the model was for the row's group."""

import numpy as np
import pandas as pd
import pytest

from plumbline import artifacts, names
from plumbline.audit.build import predictions_to_audit
from plumbline.audit.options import AuditOptions
from plumbline.errors import ArtifactError, DataError
from plumbline.inference.classify import predict_classifier
from plumbline.serving.files import predict_file
from plumbline.serving.reliability import read_reliability
from tests.serving import folders


def audit_of(folder, data, least=5):
    options = AuditOptions(confidence=0.95, replicates=50, seed=0, min_group_size=least)
    return artifacts.plain(predictions_to_audit(predict_classifier(folder, data), options))


def predicted(tmp_path, folder, rows, audit):
    rows.to_parquet(tmp_path / "rows.parquet")
    predict_file(folder, tmp_path / "rows.parquet", tmp_path / "found.parquet", audit=audit)
    return pd.read_parquet(tmp_path / "found.parquet")


def test_each_row_has_the_values_of_its_group_in_the_audit(tmp_path):
    folder, data = folders.fnn(tmp_path)
    audit = audit_of(folder, data)
    rows = folders.raw_rows(data)
    rows["sex"] = ["female"] * 9 + ["male"] * 9 + ["x", None]
    found = predicted(tmp_path, folder, rows, audit)
    want = {
        (row["group"], row["metric"]): row for row in audit["rows"] if row["attribute"] == "sex"
    }
    female = want["female", names.ACCURACY]
    assert found["reliability_sex_group"].tolist()[:18] == rows["sex"].tolist()[:18]
    assert found["reliability_sex_accuracy"][0] == female["value"]
    assert found["reliability_sex_accuracy_low"][0] == female["low"]
    assert found["reliability_sex_accuracy_high"][8] == female["high"]
    assert found["reliability_sex_accuracy_n"][0] == female["n"]
    assert found["reliability_sex_accuracy"][9] == want["male", names.ACCURACY]["value"]
    assert found["reliability_sex_accuracy"][18:].isna().all()
    assert found["reliability_sex_reason"][18] == "the audit has no such group of sex"
    plain = predicted(tmp_path, folder, rows, None)
    pd.testing.assert_frame_equal(found[plain.columns], plain)


def test_too_few_cases_give_null_and_the_reason_of_the_audit(tmp_path):
    folder, data = folders.fnn(tmp_path)
    audit = audit_of(folder, data, least=8)
    (one,) = read_reliability(audit)
    few = {
        (entry["group"], entry["metric"]) for entry in audit["left_out"]
        if entry["metric"] in (names.TPR, names.FPR)
    }  # fmt: skip
    assert few
    for group, metric in few:
        assert np.isnan(one.table.loc[group, metric])
        assert f"{metric}: " in one.table.loc[group, "reason"]
        assert one.table.loc[group, f"{metric}_n"] < 8
    assert not one.table[names.ACCURACY].isna().any()
    whole = audit_of(folder, data, least=11)
    (none,) = read_reliability(whole)
    assert none.table[names.ACCURACY].isna().all()
    assert set(none.table["reason"]) == {"10 rows, under 11"}


def test_rows_without_the_attributes_and_pictures_are_errors(tmp_path):
    folder, data = folders.fnn(tmp_path)
    audit = audit_of(folder, data)
    with pytest.raises(DataError) as caught:
        predicted(tmp_path, folder, folders.raw_rows(data).drop(columns="sex"), audit)
    assert str(caught.value).startswith(
        "predict: rows.parquet must have the attributes of the audit, ['sex'], got columns ["
    )
    assert not (tmp_path / "found.parquet").exists()
    pictures, _ = folders.cnn(tmp_path)
    with pytest.raises(DataError, match="--reliability must be asked for a table with the columns"):
        predict_file(pictures, tmp_path / "rows.parquet", tmp_path / "a.parquet", audit=audit)


def test_texts_have_the_reliability_of_their_group(tmp_path):
    folder, _ = folders.ngram(tmp_path)
    row = {"attribute": "play", "group": "a", "metric": names.BITS_PER_CHARACTER, "n": 12,
           "value": 2.0, "low": 1.9, "high": 2.2, "verdict": None}  # fmt: skip
    audit = {"model": "ngram", "attributes": ["play"], "rows": [row], "left_out": []}
    rows = pd.DataFrame({"text": ["abc dea", "dea"], "play": ["a", "b"]})
    found = predicted(tmp_path, folder, rows, audit)
    assert found["reliability_play_bits_per_character"].tolist()[0] == 2.0
    assert found["reliability_play_bits_per_character_n"].isna().tolist() == [False, True]


def test_an_audit_without_attributes_has_no_reliability():
    with pytest.raises(ArtifactError, match="audit of gan must have attributes and one of"):
        read_reliability({"model": "gan", "attributes": [], "rows": []})
