"""Public tables: the oddities of their files, on small files of the same form made here."""

import numpy as np
import pytest

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema
from plumbline.data.tables.prepare import prepare as prepare_tabular
from plumbline.errors import DataError
from plumbline.params.data import TabularData
from tests.data.table_files import ENCODING, NO_BIAS

N = 200


def prepare(folder, source):
    settings = TabularData.model_validate({
        "source": source, "target": "label", "attributes_as_features": False, "val_fraction": 0.2,
        "test_fraction": 0.2, "encoding": {**ENCODING, "min_group_rows": 10}, "csv": None,
        **NO_BIAS,
    })  # fmt: skip
    prepare_tabular(settings, root=folder, seed=1).write(folder / "out")
    return artifacts.read_split_table(folder / "out"), DatasetSchema.read(folder / "out")


def lay(folder, source, name, text):
    path = folder / "data/raw" / source / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def adult_row(k, end=""):
    sex = "Male" if k % 2 else "Female"
    race = "White" if k % 3 else "Black"
    work = "?" if k % 10 == 0 else "Private"
    label = (">50K" if k % 4 == 0 else "<=50K") + end
    return (
        f"{20 + k % 50}, {work}, {1000 + k}, Bachelors, 13, Divorced, Sales, Unmarried, {race}, "
        f"{sex}, {k}, 0, 40, United-States, {label}"
    )


@pytest.fixture
def adult(tmp_path):
    lay(tmp_path, "adult", "adult.data", "\n".join(adult_row(k) for k in range(N)) + "\n\n")
    test = ["|1x3 Cross validator", *(adult_row(k, ".") for k in range(80)), ""]
    lay(tmp_path, "adult", "adult.test", "\n".join(test) + "\n")
    return prepare(tmp_path, "adult")


def test_adult_keeps_its_official_test_set(adult):
    table, schema = adult
    assert (table["split"][N:] == "test").all()
    assert set(table["split"][:N]) == {"train", "val"}
    assert len(table) == N + 80
    assert "official test set" in schema.about["split"]


def test_adult_labels_lose_their_full_stop(adult):
    table, schema = adult
    assert (schema.classes, schema.positive) == (("<=50K", ">50K"), ">50K")
    wanted = [*(k % 4 == 0 for k in range(N)), *(k % 4 == 0 for k in range(80))]
    np.testing.assert_array_equal(table["y"] == 1, wanted)


def test_adult_has_missing_work_and_groups_and_no_weight(adult):
    table, schema = adult
    assert not {names.ENTITY, names.WEIGHT} & set(table)
    assert {"workclass=Private", "workclass=(missing)"} < set(schema.features)
    np.testing.assert_array_equal(table["workclass=(missing)"][:N], np.arange(N) % 10 == 0)
    assert schema.attributes == ("sex", "race", "age")
    assert not any(f.startswith(("sex", "race", "age", "fnlwgt")) for f in schema.features)


def test_german_credit_calls_1_good_and_reads_the_sex_off_its_code(tmp_path):
    rows = [
        f"A1{k % 4 + 1} {k} A34 A43 {1000 + k} A65 A75 4 {'A92' if k % 2 else 'A93'} A101 4 A121 "
        f"{20 + k % 45} A143 A152 2 A173 1 A192 A201 {1 + (k % 3 == 0)}"
        for k in range(N)
    ]
    lay(tmp_path, "german_credit", "german.data", "\n".join(rows) + "\n")
    table, schema = prepare(tmp_path, "german_credit")
    assert (schema.classes, schema.positive) == (("bad", "good"), "good")
    np.testing.assert_array_equal(table["y"] == 0, np.arange(N) % 3 == 0)
    assert list(table["sex"][:2]) == ["male", "female"]
    assert not any(f.startswith("personal_status") for f in schema.features)


def test_compas_calls_no_new_charge_favourable_and_reads_no_names(tmp_path):
    head = "id,name,dob,sex,age,race,juv_fel_count,juv_misd_count,juv_other_count,priors_count,"
    rows = [
        f"{k},person {k},1980-01-01,{'Male' if k % 2 else 'Female'},{20 + k % 40},"
        f"{'Caucasian' if k % 3 else 'African-American'},0,0,{k % 5},{k},F,{int(k % 4 == 0)}"
        for k in range(N)
    ]
    text = "\n".join([head + "c_charge_degree,two_year_recid", *rows])
    lay(tmp_path, "compas", "compas-scores-two-years.csv", text)
    table, schema = prepare(tmp_path, "compas")
    assert schema.positive == "no new charge"
    np.testing.assert_array_equal(table["y"] == 1, np.arange(N) % 4 != 0)
    assert "person 1" not in table.to_csv()
    whole = (tmp_path / "out/table.parquet").read_bytes()
    # The file without identities gives the same bytes.
    (tmp_path / "data/raw/compas/compas-scores-two-years.csv").unlink()
    columns = head.split(",")
    short = [
        ",".join(v for v, c in zip(r.split(","), [*columns[:-1], "c", "t"], strict=True)
                 if c not in ("name", "dob"))
        for r in text.splitlines()
    ]  # fmt: skip
    lay(tmp_path, "compas", "compas_no_identities.csv", "\n".join(short))
    prepare(tmp_path, "compas")
    assert (tmp_path / "out/table.parquet").read_bytes() == whole


def test_credit_default_calls_paying_favourable(tmp_path):
    head = "LIMIT_BAL,SEX,EDUCATION,MARRIAGE,AGE,PAY_0,default payment"
    rows = [
        f"{1000 + k},{k % 2 + 1},{k % 7},{k % 4},{20 + k % 40},{k % 3},{int(k % 5 == 0)}"
        for k in range(N)
    ]
    lay(tmp_path, "credit_default", "credit-card-clients.csv", "\n".join([head, *rows]))
    table, schema = prepare(tmp_path, "credit_default")
    assert (schema.classes, schema.positive) == (("default", "paid"), "paid")
    np.testing.assert_array_equal(table["y"] == 0, np.arange(N) % 5 == 0)
    assert list(table["SEX"][:2]) == ["male", "female"]
    assert set(table["MARRIAGE"]) == {"married", "single", "other"}


def test_a_file_with_other_columns_is_refused(tmp_path):
    lay(tmp_path, "compas", "compas_no_identities.csv", "id,sex\n1,Male\n")
    with pytest.raises(DataError, match=r"^compas: compas_no_identities.csv must have its known "):
        prepare(tmp_path, "compas")


def test_a_public_table_has_labels_only(tmp_path):
    settings = TabularData.model_validate({
        "source": "adult", "target": "value", "attributes_as_features": False, "csv": None,
        **NO_BIAS,
        "val_fraction": 0.2, "test_fraction": 0.2, "encoding": ENCODING,
    })  # fmt: skip
    with pytest.raises(DataError) as caught:
        prepare_tabular(settings, seed=1)
    assert str(caught.value) == (
        "data_tabular: target of source 'adult' must be one of label, got 'value'"
    )
