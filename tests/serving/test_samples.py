"""Samples of restored models are those of the pipeline, and depend on the seed alone."""

import numpy as np
import pytest
from PIL import Image

from plumbline import artifacts
from plumbline.errors import DataError
from plumbline.inference import generate
from plumbline.inference.language import generate_texts, restore_language_model
from plumbline.inference.stepping import Stepper
from plumbline.serving import samples
from plumbline.serving.samples import TextOptions
from tests.serving import folders

PLAIN = TextOptions(prompt="ab", length=40, temperature=0.8, top_k=0)


def test_pictures_are_those_that_the_pipeline_draws_for_the_classes_and_the_seed(tmp_path):
    folder, _ = folders.gan(tmp_path)
    found = samples.draw_pictures(folder, classes=("bar2", "bar0"), number=5, seed=3)
    want, _ = generate.generate(folder, n=5, seed=3, labels=[2, 0, 2, 0, 2])
    np.testing.assert_array_equal(found.images, want)
    assert found.classes == ("bar2", "bar0", "bar2", "bar0", "bar2")


def test_all_classes_are_drawn_equally_often_and_more_pictures_change_no_picture(tmp_path):
    folder, _ = folders.gan(tmp_path)
    found = samples.draw_pictures(folder, classes=(), number=None, seed=0)
    assert [found.classes.count(name) for name in ("bar0", "bar1", "bar2")] == [4, 4, 4]
    fewer = samples.draw_pictures(folder, classes=(), number=3, seed=0)
    np.testing.assert_array_equal(fewer.images, found.images[:3])
    other = samples.draw_pictures(folder, classes=(), number=3, seed=1)
    assert (other.images != fewer.images).any()


def test_an_unknown_class_is_named(tmp_path):
    folder, _ = folders.gan(tmp_path)
    with pytest.raises(DataError) as caught:
        samples.draw_pictures(folder, classes=("cat",), number=1, seed=0)
    assert str(caught.value) == "gan: class must be one of bar0, bar1, bar2, got 'cat'"


def test_files_hold_the_pixels_and_their_names_number_and_class(tmp_path):
    images = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
    out = tmp_path / "out"
    samples.write_pictures(samples.Pictures(images, ("a/b", "ü")), out)
    assert sorted(path.name for path in out.iterdir()) == [
        "00000_a-b.png", "00001_class.png", "contact_sheet.png",
    ]  # fmt: skip
    with Image.open(out / "00000_a-b.png") as picture:
        np.testing.assert_array_equal(np.array(picture), images[0].transpose(1, 2, 0))


def test_the_contact_sheet_has_a_column_for_each_class():
    images = np.stack([np.full((1, 64, 64), grey, np.uint8) for grey in (0, 50, 100)])
    sheet = samples.contact_sheet(samples.Pictures(images, ("a", "b", "a")))
    assert sheet.shape == (1, 2 * 66 + 2, 2 * 66 + 2)
    assert [sheet[0, 2, 2], sheet[0, 2, 68], sheet[0, 68, 2]] == [0, 50, 100]
    assert (sheet[0, 68:, 68:] == 255).all()  # nothing there
    assert (sheet[0, :, 66:68] == 255).all()


def test_the_contact_sheet_of_one_class_is_square_and_enlarges_small_pictures():
    images = np.zeros((4, 1, 16, 16), dtype=np.uint8)
    sheet = samples.contact_sheet(samples.Pictures(images, ("a",) * 4))
    assert sheet.shape == (1, 2 * 66 + 2, 2 * 66 + 2)


def test_a_folder_with_files_is_not_written_to_and_a_failure_leaves_nothing(tmp_path):
    found = samples.Pictures(np.zeros((1, 1, 4, 4), dtype=np.uint8), ("a",))
    out = tmp_path / "out"
    out.mkdir()
    samples.write_pictures(found, out)  # an empty one is
    kept = sorted(out.iterdir())
    with pytest.raises(DataError) as caught:
        samples.write_pictures(found, out)
    assert str(caught.value) == (
        "generate: out must be an empty or new folder in one that exists, got "
        f"{out.as_posix()}; choose another"
    )
    broken = samples.Pictures(found.images, ("a", "b"))
    with pytest.raises(ValueError, match="zip"):
        samples.write_pictures(broken, tmp_path / "new")
    assert (sorted(tmp_path.iterdir()), sorted(out.iterdir())) == ([out], kept)


def test_texts_are_those_of_the_pipeline_and_each_has_a_seed_of_its_own(tmp_path):
    folder, data = folders.rnn(tmp_path)
    found = samples.draw_texts(folder, PLAIN, number=2, seed=7)
    for text, seed in zip(found, (7, 8), strict=True):
        (want,) = generate_texts(
            folder, data, prompt="ab", characters=40, temperatures=[0.8], top_k=0, seed=seed
        )
        assert text == {**want, "seed": seed}
    assert found[0]["text"] != found[1]["text"]
    (alone,) = samples.draw_texts(folder, PLAIN, number=1, seed=8)
    assert alone == found[1]


def test_any_language_network_writes_texts_by_its_own_forward_pass(tmp_path):
    folder, data = folders.rnn(tmp_path)
    network, _, _ = restore_language_model(folder, data)
    reader, want = samples._Forward(network), Stepper(network)
    for code in (network.begin, 3, 1):
        np.testing.assert_allclose(reader.read(code), want.read(code), atol=1e-6)


def test_a_low_temperature_and_one_candidate_both_choose_the_likeliest_character(tmp_path):
    folder, _ = folders.rnn(tmp_path)
    cold = TextOptions(prompt="", length=30, temperature=1e-6, top_k=0)
    only = TextOptions(prompt="", length=30, temperature=5.0, top_k=1)
    texts = [
        samples.draw_texts(folder, options, number=1, seed=seed)[0]["text"]
        for options in (cold, only)
        for seed in (0, 1)
    ]
    assert len(set(texts)) == 1
    assert len(texts[0]) == 30


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_that_is_not_above_0_is_refused(tmp_path, temperature):
    folder, _ = folders.rnn(tmp_path)
    wrong = TextOptions(prompt="", length=1, temperature=temperature, top_k=0)
    with pytest.raises(DataError) as caught:
        samples.draw_texts(folder, wrong, number=1, seed=0)
    assert str(caught.value) == (
        f"generate: temperature must be > 0 and finite, got {temperature:g}; 1 samples from the "
        "model as it is"
    )


def test_a_prompt_of_unknown_characters_is_refused_with_them(tmp_path):
    folder, _ = folders.rnn(tmp_path)
    wrong = TextOptions(prompt=f"aZ{artifacts.RARE}é", length=1, temperature=1.0, top_k=0)
    with pytest.raises(DataError) as caught:
        samples.draw_texts(folder, wrong, number=1, seed=0)
    assert str(caught.value) == (
        "rnn: prompt must hold characters of the vocabulary, got 'Z', 'é', '\ufffd'; leave them out"
    )
