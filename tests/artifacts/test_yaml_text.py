import pytest

from plumbline.artifacts import yaml_text
from plumbline.errors import ParamsError


@pytest.mark.parametrize(
    "text",
    ["yes", "No", "on", "1e3", "010", "12:30:45", ".5", "~", "0x1F", "1_000", "[1, {b: on}]"],
)
def test_a_text_means_what_it_means_to_dvc(text):
    from dvc.utils.serialize import parse_yaml

    assert yaml_text.parse(f"a: {text}", "x") == parse_yaml(f"a: {text}", "x")


def test_yes_is_text_and_a_number_with_an_exponent_is_one():
    assert yaml_text.parse("a: yes\nb: 1e-3", "x") == {"a": "yes", "b": 0.001}
    assert yaml_text.parse("", "x") is None


ALIASES = "a0: &a0 [x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 1\nseed: 2\n", 'x: content must be YAML, got line 2: found duplicate key "seed"'),
        ("a: [1", "x: content must be YAML, got line 2"),
        ("a: " + "[" * 3000, "x: content must be YAML, got"),
        ("a: " + "[" * 3000 + "]" * 3000, "x: content must be YAML, got nested too deeply"),
        (ALIASES, "x: content must have at most 100,000 values, got more"),
        ("a: !!python/object/apply:os.system [ls]", "x: content must be YAML, got line 1"),
        ("a: 1\n---\nb: 2\n", "x: content must be one YAML document, got 2"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_short_line(text, message):
    with pytest.raises(ParamsError) as caught:
        yaml_text.parse(text, "x")
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)
