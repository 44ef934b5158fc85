from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from plumbline import params
from plumbline.data.images.prepare import images_from_raw
from plumbline.data.images.prepare import prepare as prepare_images
from plumbline.data.images.sources import digits
from plumbline.data.pixels.moments import measure_styles, style_thresholds
from plumbline.data.pixels.resize import enlarge
from plumbline.errors import DataError
from tests.conftest import ROOT

PARAMETERS = params.load(ROOT / "params.yaml").data_images


@pytest.fixture(scope="module")
def prepared():
    return prepare_images(PARAMETERS, seed=1)


def test_the_digits_pass_their_own_checks(prepared):
    prepared.check()
    assert {size: a.shape for size, a in prepared.images.items()} == {
        16: (1797, 1, 16, 16),
        32: (1797, 1, 32, 32),
    }
    assert list(prepared.table.columns) == [
        "sample_id", "split", "y", "labelled", "thickness", "slant",
    ]  # fmt: skip
    np.testing.assert_array_equal(prepared.table["y"], load_digits().target)


def test_ten_labels_of_each_digit_are_in_the_training_split(prepared):
    labelled = prepared.table[prepared.table["labelled"]]
    assert set(labelled["split"]) == {"train"}
    assert labelled["y"].value_counts().to_dict() == dict.fromkeys(range(10), 10)


def test_shares_of_each_digit_are_kept_to_half_a_sample(prepared):
    for _, rows in prepared.table.groupby("y"):
        counts = rows["split"].value_counts()
        assert abs(counts["test"] - 0.25 * len(rows)) <= 0.5
        assert abs(counts["val"] - 0.2 * len(rows)) <= 0.5


def test_the_groups_can_be_measured_again_from_what_is_stored(prepared):
    about = prepared.schema.about
    stored = prepared.images[about["measured_at"]][:, 0]
    styles = measure_styles(stored, about["thresholds"][str(about["measured_at"])])
    assert (styles["thickness"] == prepared.table["thickness"]).all()
    assert (styles["slant"] == prepared.table["slant"]).all()


def test_thresholds_of_every_size_come_from_the_training_split(prepared):
    train = (prepared.table["split"] == "train").to_numpy()
    for size, stack in prepared.images.items():
        stored = prepared.schema.about["thresholds"][str(size)]
        assert stored == style_thresholds(stack[train, 0])


def test_enlarged_digits_have_full_contrast_and_average_back():
    counts = load_digits().images[:50]
    large = enlarge(counts, size=32)
    assert large.dtype == np.uint8
    assert large.max() == 255
    assert large.min() == 0
    blocks = large.reshape(50, 8, 4, 8, 4).mean(axis=(2, 4)) * 16 / 255
    # The kernel softens corners; on average a block keeps its count.
    assert np.abs(blocks - counts).mean() < 0.8
    np.testing.assert_array_equal(enlarge(np.full((1, 8, 8), 8.0), size=16), 128)


def fault(kept=slice(None), **changes):
    parameters = PARAMETERS.model_copy(update=changes)
    raw = digits(parameters, ROOT)
    part = replace(
        raw,
        ids=np.array(raw.ids)[kept].tolist(),
        codes=raw.codes[kept],
        groups=raw.groups[kept],
        images={size: stack[kept] for size, stack in raw.images.items()},
    )
    with pytest.raises(DataError) as error:
        images_from_raw(part, parameters=parameters).check()
    return str(error.value)


def test_a_digit_that_is_missing_is_named():
    assert fault(load_digits().target != 7) == (
        "digits: class '7' must have a sample in every split, got none at all; "
        "add samples until it has 3, merge it with another class, or leave it out"
    )


def test_a_class_with_fewer_labels_is_prepared_and_named_with_its_count():
    found = prepare_images(PARAMETERS.model_copy(update={"labels_per_class": 108}), seed=1)
    train = found.table[found.table["split"] == "train"]
    counts = train["y"].value_counts().sort_index().tolist()
    assert found.schema.about["short_of_labels"] == {
        str(digit): count for digit, count in enumerate(counts) if count < 108
    }
    assert train["labelled"].groupby(train["y"]).sum().tolist() == [min(c, 108) for c in counts]


def test_enough_labels_leave_no_note(prepared):
    assert "short_of_labels" not in prepared.schema.about
