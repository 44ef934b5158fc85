"""Rebalancing an undersampled group of images: which rows are seen, taken and reported."""

import numpy as np
import pandas as pd
import pytest

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema, Predictions
from plumbline.audit.options import AuditOptions
from plumbline.data.base.prepared import PreparedData
from plumbline.data.pixels.moments import measure_styles
from plumbline.inference.classify import predict_classifier
from plumbline.inference.generate import generate
from plumbline.mitigation.preprocessing import balance
from plumbline.mitigation.preprocessing.balance_trial import Asked, try_balance
from plumbline.params.models import CnnParams
from plumbline.runs.fit_context import FitContext
from plumbline.training.recipes.adversarial import fit_gan
from plumbline.training.recipes.images import fit_cnn
from tests.prepared_folders import CNN_OFF, PLAIN
from tests.training.recipes.test_adversarial import settings
from tests.training.recipes.test_language import TRAINER

SLANT, LEFT = "slant", "left"
THRESHOLDS = {SLANT: [-0.2, 0.2]}
ASKED = Asked(attribute=SLANT, group=LEFT, share=0.3, draws_per_row=30)
MEASURING = AuditOptions(confidence=0.95, min_group_size=5, replicates=50, seed=4)
CNN = CnnParams(
    **CNN_OFF,
    classification=PLAIN,
    architecture="convnet",
    image_size=16, channels=(4,), feature_dim=8, dropout=0.0,
    optimisation={
        "optimizer": "adamw", "lr": 0.01, "beta2": 0.999, "weight_decay": 0.0, "batch_size": 32,
        "accumulate": 1, "max_epochs": 1, "patience": 1, "schedule": "constant",
        "warmup_fraction": 0.0, "gradient_clip": 0.0, "label_smoothing": 0.0, "l1": 0.0,
    },
)  # fmt: skip


def bar(shear, *, wide, noise=0):
    """A bar sheared by so many pixels a row upwards; its class is its width."""
    image = np.zeros((1, 16, 16), np.uint8)
    for row in range(3, 13):
        at = round(7 + shear * (7.5 - row))
        image[0, row, at : at + wide] = 200 + noise
    return image


@pytest.fixture(scope="module")
def prepared():
    """240 bars of two widths, a third of them leaning left; image i differs by its noise too."""
    shears = {"left": -0.5, "upright": 0.0, "right": 0.5}
    rows, images = [], []
    for i in range(240):
        group, y = list(shears)[i % 3], i // 3 % 2
        split = (names.TRAIN, names.TRAIN, names.VAL, names.TEST)[i // 6 % 4]
        rows.append((f"bar-{i:03d}", split, y, group))
        images.append(bar(shears[group], wide=1 + 2 * y, noise=i % 50))
    table = pd.DataFrame(rows, columns=["sample_id", "split", "y", SLANT]).assign(labelled=True)
    schema = DatasetSchema(
        dataset="images", source="bars", task="multiclass", classes=("narrow", "wide"),
        attributes=(SLANT,), about={"thresholds": {"16": THRESHOLDS}},
    )  # fmt: skip
    return PreparedData(schema, table, {16: np.stack(images)})


def undersampled_of(prepared):
    return balance.undersample(
        prepared, attribute=SLANT, group=LEFT, share=ASKED.share, image_size=16, seed=4
    )


@pytest.fixture(scope="module")
def trial(prepared, tmp_path_factory):
    """The whole, with real networks and few steps; what each of them was given is kept."""
    work, seen = tmp_path_factory.mktemp("trial"), {}

    def context(name):
        return FitContext(
            stage="balance_images", work=work / "fits" / name, seed=4, trainer=TRAINER
        )

    def train_generator(folder):
        seen["gan"] = artifacts.read_split_table(folder)
        fitted = fit_gan(settings(steps=30), data=folder, context=context("gan"))
        seen["gan_facts"] = fitted.config.facts
        fitted.save(work / "gan")

        def draw(labels, seed):
            images, asked = generate(work / "gan", n=len(labels), seed=seed, labels=labels)
            # A GAN of 30 steps has no slant yet: every second image is a bar that leans left.
            images[::2] = np.stack([bar(-0.5, wide=1 + 2 * y) for y in asked[::2]])
            return images

        return draw

    def fit(variant, folder):
        table = artifacts.read_split_table(folder)
        seen[variant] = table, artifacts.read_images(folder, 16, rows=len(table))
        fit_cnn(CNN, data=folder, context=context(variant)).save(work / "models" / variant)
        return predict_classifier(work / "models" / variant, folder)

    found = try_balance(
        prepared, ASKED, train_generator=train_generator, fit=fit, options=MEASURING,
        work=work / "data",
    )  # fmt: skip
    return found, seen


def train_ids(table):
    return set(table.loc[table["split"] == names.TRAIN, "sample_id"])


def test_no_row_that_was_thinned_away_is_seen_by_the_generator(prepared, trial):
    found, seen = trial
    gone = train_ids(prepared.table) - train_ids(undersampled_of(prepared).table)
    assert len(gone) == found["removed"] > 0
    assert train_ids(seen["gan"]).isdisjoint(gone)
    assert seen["gan_facts"]["train_samples"] == len(train_ids(prepared.table)) - len(gone)


def test_thinning_leaves_validation_and_test_rows_as_they_are(prepared, trial):
    held_out = prepared.table["split"] != names.TRAIN
    expected = prepared.table.loc[held_out, "sample_id"].tolist()
    for variant in balance.VARIANTS:
        table, _ = trial[1][variant]
        assert table.loc[table["split"] != names.TRAIN, "sample_id"].tolist() == expected


def test_images_taken_have_the_group_by_their_own_moments(trial):
    table, images = trial[1][balance.GENERATED]
    new = table["sample_id"].str.startswith("generated-").to_numpy()
    assert new.sum() == trial[0]["rows"][2]["added"] > 0
    assert set(measure_styles(images[new][:, 0], THRESHOLDS)[SLANT]) == {LEFT}
    assert set(table.loc[new, SLANT]) == {LEFT}


def test_filled_and_oversampled_data_have_as_many_rows_in_every_cell(prepared, trial):
    found, seen = trial
    cells = [
        seen[v][0].query("split == 'train'").groupby([SLANT, "y"]).size().to_dict()
        for v in (balance.OVERSAMPLED, balance.GENERATED)
    ]
    assert cells[0] == cells[1]
    # Every second draw was good and each missing row had 30: all that was removed is back.
    assert (
        cells[0] == prepared.table.query("split == 'train'").groupby([SLANT, "y"]).size().to_dict()
    )
    assert [row["added"] for row in found["rows"]] == [0, found["wanted"], found["wanted"]]
    assert found["unfilled"] == {}


def test_repeated_rows_are_images_of_the_group_that_were_left(prepared, trial):
    table, images = trial[1][balance.OVERSAMPLED]
    undersampled = undersampled_of(prepared)
    place = {name: i for i, name in enumerate(undersampled.table["sample_id"])}
    again = table["sample_id"].str.contains("-again-").to_numpy()
    assert set(table.loc[again, SLANT]) == {LEFT}
    for i in np.flatnonzero(again):
        origin = place[table["sample_id"].iloc[i].split("-again-")[0]]
        np.testing.assert_array_equal(images[i], undersampled.images[16][origin])


def test_what_the_draws_do_not_fill_is_said_by_class():
    """Class 0 leans left at every third draw, class 1 never."""

    def draw(labels, seed):
        lean = [-0.5 if y == 0 and i % 3 == 0 else 0.0 for i, y in enumerate(labels)]
        return np.stack([bar(s, wide=2) for s in lean])

    filling = balance.fill(
        draw, {0: 4, 1: 2}, thresholds=THRESHOLDS, attribute=SLANT, group=LEFT, draws_per_row=2,
        seed=0,
    )  # fmt: skip
    # Asked for 0 0 0 0 1 1, of which the first and fourth lean; then for 0 0 1 1, the first leans.
    assert (filling.drawn, filling.labels.tolist()) == (10, [0, 0, 0])
    assert filling.unfilled == {0: 1, 1: 2}
    assert len(filling.images) == 3


def test_a_class_without_a_row_left_is_not_asked_for():
    full = pd.DataFrame({"split": "train", "y": [0, 0, 0, 1, 1], SLANT: LEFT})
    assert balance.missing_rows(full, full.iloc[:1], attribute=SLANT, group=LEFT) == {0: 2}
    with pytest.raises(ValueError, match=r"^fill: missing must name a class, got none$"):
        balance.fill(
            lambda labels, seed: None, {}, thresholds=THRESHOLDS, attribute=SLANT, group=LEFT,
            draws_per_row=1, seed=0,
        )  # fmt: skip


def test_a_row_of_the_report_has_the_accuracies_counted_by_hand():
    """30 left of whom 15 are right, 70 upright of whom 63 are: 0.5, 0.9, together 0.78."""
    y = np.arange(100) % 2
    right = np.r_[np.arange(30) < 15, np.arange(70) < 63]
    table = pd.DataFrame(
        {
            "sample_id": [f"{i}" for i in range(100)],
            "split": names.TEST,
            "y_true": y,
            "y_pred": np.where(right, y, 1 - y),
            "score_a": 0.5,
            "score_b": 0.5,
            SLANT: [LEFT] * 30 + ["upright"] * 70,
        }
    )
    predictions = Predictions(
        table=table, model="cnn", kind=names.CLASSIFICATION, dataset="images", source="made",
        classes=("a", "b"), positive=None, attributes=(SLANT,),
    )  # fmt: skip
    row = balance.variant_row(
        "undersampled", predictions, attribute=SLANT, group=LEFT, added=7, options=MEASURING
    )
    assert (row["variant"], row["added"]) == ("undersampled", 7)
    assert row["accuracy"]["value"] == pytest.approx(0.78)
    assert row["group_accuracy"]["value"] == pytest.approx(0.5)
    assert row["gap"]["value"] == pytest.approx(0.4)
    assert (row["gap"]["lowest"], row["gap"]["verdict"]) == (LEFT, names.DIFFERENCE)
    assert row["gap"]["low"] < 0.4 < row["gap"]["high"]


@pytest.mark.parametrize(
    ("attribute", "group", "reason"),
    [
        ("smile", "yes", "smile is not measured on images of bars"),
        (SLANT, "back", "no training image of bars has the slant back"),
    ],
)
def test_data_without_the_group_are_skipped_and_nothing_is_fitted(
    prepared, tmp_path, attribute, group, reason
):
    found = try_balance(
        prepared, Asked(attribute, group, 0.5, 2), train_generator=pytest.fail, fit=pytest.fail,
        options=MEASURING, work=tmp_path,
    )  # fmt: skip
    assert found["skipped"] == reason
    assert not list(tmp_path.iterdir())


def test_a_generator_that_never_draws_the_group_adds_nothing(prepared):
    filling = balance.fill(
        lambda labels, seed: np.stack([bar(0.0, wide=2) for _ in labels]), {0: 3},
        thresholds=THRESHOLDS, attribute=SLANT, group=LEFT, draws_per_row=2, seed=0,
    )  # fmt: skip
    assert (filling.drawn, filling.unfilled) == (6, {0: 3})
    undersampled = undersampled_of(prepared)
    for same in (
        balance.with_generated(undersampled, filling),
        balance.with_repeated(undersampled, {}, attribute=SLANT, group=LEFT, seed=0),
    ):
        pd.testing.assert_frame_equal(same.table, undersampled.table)
        np.testing.assert_array_equal(same.images[16], undersampled.images[16])
