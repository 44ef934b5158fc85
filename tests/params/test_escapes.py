r"""Text of the parameters stays what a person wrote when ``dvc exp run -S`` has set another one."""

import shutil

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from plumbline import params
from plumbline.artifacts import yaml_text
from plumbline.errors import ParamsError
from plumbline.params import escapes
from plumbline.params.apply import apply, write_layer

TEXTS = [
    "price in ${EUR}", "${seed}", "$${a}$", "???", "'${it's}'", "a: {${b}}", "two\nlines of ${x}",
    "$ {x}", "????", "plain", "", "yes", "0123", "it's",
]  # fmt: skip


@pytest.fixture
def target(root, tmp_path):
    return shutil.copy(root / "params.yaml", tmp_path / "params.yaml")


def owner(path):
    return params.load(path).card.owner


@pytest.mark.no_cover
@pytest.mark.parametrize("text", [text for text in TEXTS if text])
def test_a_text_is_what_was_written_before_and_after_dvc_sets_a_parameter(target, tmp_path, text):
    layer = tmp_path / "layer.yaml"
    for flow in (False, True):
        layer.write_text(yaml.safe_dump({"card": {"owner": text}}, default_flow_style=flow))
        apply(target, [layer])
        assert owner(target) == text
    for seed in (7, 8):  # twice: the first must not leave what the second stops at
        apply_overrides(target, [f"seed={seed}"])
        found = params.load(target)
        assert (found.seed, found.card.owner) == (seed, text)


def test_dvc_replaces_what_is_not_escaped(target):
    """Without escapes a description would silently change: the reason for all of this."""
    raw = target.read_text(encoding="utf-8")
    target.write_text(raw.replace("owner: the", "owner: ${seed} #"), encoding="utf-8")
    apply_overrides(target, ["seed=7"])
    assert yaml_text.parse(target.read_text(encoding="utf-8"), "")["card"]["owner"] == 7


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("price in ${EUR}", "params.yaml: card.owner must not be what dvc exp run -S takes for "
         "another value, got 'price in ${EUR}'; write 'price in $\\{EUR}', which stands for it"),
        ("'???'", "params.yaml: card.owner must not be what dvc exp run -S takes for a missing "
         "value, got '???'; write '\\???', which stands for it"),
        ("\"it's ${x}\"", "params.yaml: card.owner must not be what dvc exp run -S takes for "
         "another value, got \"it's ${x}\"; write 'it''s $\\{x}', which stands for it"),
    ],
)  # fmt: skip
def test_text_that_dvc_would_replace_is_refused_with_what_to_write(target, written, message):
    raw = target.read_text(encoding="utf-8")
    assert "owner: the plumbline project" in raw
    target.write_text(raw.replace("the plumbline project", written), encoding="utf-8")
    with pytest.raises(ParamsError) as caught:
        params.load(target)
    assert str(caught.value) == message
    cure = message.rpartition("; write ")[2].removesuffix(", which stands for it")
    target.write_text(raw.replace("the plumbline project", cure), encoding="utf-8")
    assert owner(target) == yaml.safe_load(written)


def test_every_text_of_nested_values_is_escaped_and_given_back():
    nested = {"a": TEXTS, "b": {"${key}": [{"c": text} for text in TEXTS]}, "n": [1, None, True]}
    written = escapes.changed(nested, escapes.escaped)
    assert escapes.changed(written, escapes.escaped) == written
    assert escapes.changed(written, escapes.unescaped) == nested
    assert not list(escapes.faults(written))
    assert len(list(escapes.faults(nested))) == 2 * sum(
        "${" in text or text == "???" for text in TEXTS
    )


def test_a_layer_of_plain_values_is_escaped_where_it_is_written(root, tmp_path):
    for name in ("params.yaml", "policy.yaml"):
        shutil.copy(root / name, tmp_path / name)
    for _ in range(2):
        write_layer(tmp_path, {"card": {"owner": "price in ${EUR}"}})
        assert owner(tmp_path / "params.yaml") == "price in ${EUR}"
