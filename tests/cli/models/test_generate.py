"""The command that draws samples."""

import json

import numpy as np
import pytest
from PIL import Image

from plumbline import artifacts
from plumbline.cli.main import main
from plumbline.inference.generate import generate
from plumbline.inference.language import generate_texts
from tests.serving import folders


def test_pictures_of_a_class_are_written_as_files_with_a_contact_sheet(tmp_path, capsys):
    folder, _ = folders.gan(tmp_path)
    out = tmp_path / "out"
    words = ["generate", "gan", "--root", str(tmp_path), "--class", "bar1", "-n", "2"]
    assert main([*words, "--seed", "5", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"2 pictures of 1 class and contact_sheet.png in {out}\n"
    assert sorted(path.name for path in out.iterdir()) == [
        "00000_bar1.png", "00001_bar1.png", "contact_sheet.png",
    ]  # fmt: skip
    want, _ = generate(folder, n=2, seed=5, labels=[1, 1])
    with Image.open(out / "00001_bar1.png") as picture:
        np.testing.assert_array_equal(np.array(picture), want[1, 0])


def test_a_text_is_printed_without_signs_that_a_terminal_obeys(tmp_path, capsys):
    folder, data = folders.rnn(tmp_path)
    characters = artifacts.read_vocabulary(data)
    swapped = ["\x1b" if c == "c" else "\n" if c == "d" else c for c in characters]
    artifacts.write_json(data / "vocabulary.json", swapped)
    words = ["generate", str(folder), "--prompt", "a", "--length", "200", "--temperature", "1"]
    assert main([*words, "-n", "2"]) == 0
    shown = capsys.readouterr().out
    want = [
        generate_texts(
            folder, data, prompt="a", characters=200, temperatures=[1.0], top_k=0, seed=seed
        )[0]["text"]
        for seed in (0, 1)
    ]
    assert "\x1b" in want[0]
    assert shown == "\n---\n".join(want).replace("\x1b", "\\x1b") + "\n"


def test_a_text_is_written_as_it_is_and_several_as_json(tmp_path, capsys):
    folder, _ = folders.rnn(tmp_path)
    words = ["generate", str(folder), "--length", "30", "--top-k", "3", "--out"]
    assert main([*words, str(tmp_path / "one.txt")]) == 0
    assert main([*words, str(tmp_path / "two.json"), "--number", "2"]) == 0
    assert capsys.readouterr().out == ""
    found = json.loads((tmp_path / "two.json").read_text(encoding="utf-8"))
    assert [(one["seed"], one["top_k"], one["temperature"]) for one in found] == [
        (0, 3, 0.8), (1, 3, 0.8),
    ]  # fmt: skip
    assert (tmp_path / "one.txt").read_bytes().decode("utf-8") == found[0]["text"]


@pytest.mark.parametrize(
    ("model", "words", "message"),
    [
        ("gan", ["--prompt", "a", "--top-k", "2"],
         "generate: options must be those of a generator of pictures, got --prompt, --top-k for "
         "'gan'; leave them out"),
        ("rnn", ["--class", "bar0"],
         "generate: options must be those of a language model, got --class for 'rnn'; leave them "
         "out"),
        ("rnn", ["-n", "2", "--out", "texts.txt"],
         "generate: out must be a .json file for 2 texts in a folder that exists, got texts.txt; "
         "choose another"),
        ("fnn", [],
         "generate: model must be a generator or a language network, got 'fnn', which is fnn for "
         "classification; plumbline predict uses it"),
        ("ngram", [],
         "generate: model must be a generator or a language network, got 'ngram', which is ngram "
         "for language; plumbline predict uses it"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_model_is_refused(tmp_path, caplog, model, words, message):
    folders.ALL[model](tmp_path)
    assert main(["generate", model, "--root", str(tmp_path), *words]) == 3
    assert caplog.records[-1].getMessage() == message


def test_a_model_that_is_not_there_is_an_error_of_the_command(tmp_path, caplog):
    assert main(["generate", "gan", "--root", str(tmp_path)]) == 4
    assert caplog.records[-1].getMessage() == (
        "generate: model 'gan' must be trained, got nothing in data/models/gan; run plumbline "
        "repro train@gan"
    )
