import numpy as np
import pandas as pd
import pytest

from plumbline import params
from plumbline.artifacts import DatasetSchema, read_split_table
from plumbline.data.base.injection import (
    degrade_images,
    flip_labels,
    inject,
    inject_bias,
    sample_ids,
)
from plumbline.data.base.prepared import PreparedData
from plumbline.data.images.prepare import prepare
from plumbline.errors import DataError
from plumbline.params.data import BiasInjection, Degradation
from tests.conftest import ROOT


def bias_of(**rules):
    return BiasInjection(**{"resample": {}, "label_noise": {}, "degrade": {}} | rules)


def rule(blur=0.0, noise=0.0):
    return Degradation(blur=blur, noise=noise)


@pytest.fixture(scope="module")
def digits():
    return prepare(params.load(ROOT / "params.yaml").data_images, seed=1)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    count = 1000
    table = pd.DataFrame(
        {
            "sample_id": [f"r{i}" for i in range(count)],
            "split": np.resize(["train", "train", "train", "val", "test"], count),
            "y": rng.integers(0, 3, size=count),
            "height": rng.normal(170, 10, size=count),
            "sex": np.resize(["f", "m"], count),
        }
    )
    schema = DatasetSchema(
        dataset="tabular", source="made_up", task="multiclass", classes=("a", "b", "c"),
        attributes=("sex",), features=("height",), about={"title": "t"},
    )  # fmt: skip
    return PreparedData(schema=schema, table=table)


def test_no_rule_changes_nothing(rows):
    assert inject(rows, seed=1) is rows


def test_a_group_is_undersampled_in_the_training_split_only(digits):
    thin = inject(digits, resample={"slant": {"left": 0.1}}, seed=42)
    before, after = digits.table, thin.table

    def count(table, split, group):
        return int(((table["split"] == split) & (table["slant"] == group)).sum())

    n = count(before, "train", "left")
    left = count(after, "train", "left")
    assert abs(left - 0.1 * n) < 3 * np.sqrt(0.09 * n)
    for split, group in (("train", "right"), ("val", "left"), ("test", "left")):
        assert count(after, split, group) == count(before, split, group)
    for size, stack in thin.images.items():
        same = before["sample_id"].isin(after["sample_id"]).to_numpy()
        np.testing.assert_array_equal(stack, digits.images[size][same])
    assert thin.schema.about["injected_bias"] == [
        f"{left} of {n} training samples of slant left were kept (each with probability 0.1)"
    ]
    assert "injected_bias" not in digits.schema.about


def test_what_is_kept_depends_on_seed_and_id_alone():
    ids = [f"s{i}" for i in range(2000)]
    one = sample_ids(ids, share=0.3, purpose="1/x")
    order = np.random.default_rng(0).permutation(2000)
    np.testing.assert_array_equal(
        sample_ids([ids[i] for i in order], share=0.3, purpose="1/x"), one[order]
    )
    assert (
        sample_ids(ids, share=0.5, purpose="1/x") >= one
    ).all()  # a larger share adds and drops none
    assert not np.array_equal(sample_ids(ids, share=0.3, purpose="2/x"), one)
    assert abs(one.mean() - 0.3) < 0.035


def test_labels_of_one_group_become_other_classes_at_the_rate_asked_for(rows):
    noisy = inject(rows, label_noise={"sex": {"f": 0.2}}, seed=3)
    changed = (noisy.table["y"] != rows.table["y"]).to_numpy()
    train, women = rows.table["split"] == "train", rows.table["sex"] == "f"
    assert not changed[~(train & women)].any()
    rate = changed[train & women].mean()
    assert abs(rate - 0.2) < 3 * np.sqrt(0.16 / 300)
    assert set(noisy.table["y"]) == {0, 1, 2}


def test_every_other_class_is_equally_likely():
    labels = np.full(9000, 2)
    found = flip_labels(labels, [f"s{i}" for i in range(9000)], classes=4, purpose="p")
    counts = np.bincount(found, minlength=4)
    assert counts[2] == 0
    assert np.abs(counts[[0, 1, 3]] - 3000).max() < 3.5 * np.sqrt(9000 * 2 / 9)


def test_images_become_blurred_and_noisy():
    images = np.zeros((200, 1, 15, 15), np.uint8)
    images[:, :, 7, 7] = 255
    ids = [f"s{i}" for i in range(200)]
    blurred = degrade_images(images, ids, blur=1.0, noise=0, purpose="p")
    # A Gaussian of standard deviation 1 keeps 1 / (2 pi) of a point in its middle.
    assert blurred[0, 0, 7, 7] == pytest.approx(255 / (2 * np.pi), abs=2)
    grey = np.full((200, 3, 15, 15), 128, np.uint8)
    noisy = degrade_images(grey, ids, blur=0, noise=20.0, purpose="p").astype(float)
    assert noisy.std() == pytest.approx(20, rel=0.02)
    assert noisy.mean() == pytest.approx(128, abs=0.5)
    again = degrade_images(grey[:1], ids[:1], blur=0, noise=20.0, purpose="p")
    np.testing.assert_array_equal(again[0], noisy[0])


def test_measurements_of_a_group_become_worse_in_training_only(digits, rows):
    worse = inject(digits, degrade={"thickness": {"thin": rule(noise=30.0)}}, seed=0)
    hit = ((digits.table["split"] == "train") & (digits.table["thickness"] == "thin")).to_numpy()
    for size, stack in worse.images.items():
        np.testing.assert_array_equal(stack[~hit], digits.images[size][~hit])
        assert (stack[hit] != digits.images[size][hit]).any(axis=(1, 2, 3)).all()
    table = inject(rows, degrade={"sex": {"m": rule(noise=2.0)}}, seed=0).table
    moved = (table["height"] - rows.table["height"]).to_numpy()
    men = ((rows.table["split"] == "train") & (rows.table["sex"] == "m")).to_numpy()
    assert (moved[~men] == 0).all()
    assert moved[men].std() == pytest.approx(20, rel=0.15)


@pytest.mark.parametrize(
    ("bias", "message"),
    [
        ({"resample": {"age": {"old": 0.5}}},
         "made_up: attribute of an injected bias must be one of sex, got 'age'"),
        ({"label_noise": {"sex": {"x": 0.5}}},
         "made_up: a group of sex must be one of f, m, got 'x'"),
        ({"degrade": {"sex": {"f": rule(blur=1.0)}}},
         "made_up: measurements must be images, or numbers with noise alone, to be degraded, got "
         "blur 1 and 1 numeric features"),
    ],
)  # fmt: skip
def test_bias_that_cannot_be_injected_is_refused(rows, bias, message):
    with pytest.raises(DataError) as caught:
        inject(rows, **bias, seed=0)
    assert str(caught.value) == message


def test_labels_without_classes_cannot_be_noisy(rows):
    schema = DatasetSchema(
        dataset="tabular", source="made_up", task="regression", attributes=("sex",)
    )
    with pytest.raises(DataError) as caught:
        inject(PreparedData(schema, rows.table), label_noise={"sex": {"f": 0.1}}, seed=0)
    assert str(caught.value) == (
        "made_up: label_noise must be injected into data with classes, got none"
    )


def test_a_prepared_folder_is_changed_in_place_and_left_alone_without_a_rule(tmp_path, rows):
    rows.write(tmp_path)
    before = (tmp_path / "table.parquet").read_bytes()
    assert inject_bias(tmp_path, bias_of(), seed=1) == {}
    assert (tmp_path / "table.parquet").read_bytes() == before
    counts = inject_bias(tmp_path, bias_of(resample={"sex": {"f": 0.5}}), seed=1)
    schema, table = DatasetSchema.read(tmp_path), read_split_table(tmp_path)
    women = int(((table["split"] == "train") & (table["sex"] == "f")).sum())
    assert counts["train/rows/sex/f"] == women < 300
    assert schema.about["injected_bias"][0].startswith(f"{women} of 300 training samples of sex f")


def test_a_group_can_be_taken_out_of_training_altogether(digits):
    gone = inject(digits, resample={"slant": {"left": 0.0}}, seed=0)
    gone.check()
    train = gone.table[gone.table["split"] == "train"]
    assert "left" not in set(train["slant"])
