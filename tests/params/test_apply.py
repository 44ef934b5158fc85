"""Applying files to params.yaml: values are merged, comments stay, nothing invalid is written."""

import io
import shutil

import pytest
import yaml

from plumbline import params
from plumbline.cli import main
from plumbline.errors import ParamsError
from plumbline.params.apply import _editor, apply, load_sized, merge


@pytest.fixture
def target(root, tmp_path):
    return shutil.copy(root / "params.yaml", tmp_path / "params.yaml")


@pytest.fixture
def examples(root):
    return [root / f"examples/{name}.yaml" for name in ("adult", "csv", "faces_london")]


def test_mappings_are_merged_key_by_key_and_everything_else_is_replaced():
    base = {"a": {"b": 1, "c": [1, 2]}, "d": None}
    layer = {"a": {"c": [3]}, "d": {"e": 4}, "f": 5}
    assert merge(base, layer) == {"a": {"b": 1, "c": [3]}, "d": {"e": 4}, "f": 5}


TABLE = {
    "path": "data/raw/a.csv", "sha256": "0" * 64, "encoding": "utf-8", "delimiter": ",",
    "decimal": ".", "thousands": None,
    "missing_values": [""], "target": "y", "positive": "yes", "types": {"zip": "categorical"},
    "features": "all", "attributes": {"sex": [], "age": [30]}, "weight": None, "entity": None,
    "rest": None, "except": [], "split": None, "time": None,
    "about": {"title": "a", "description": "b", "licence": "c", "citation": "d",
              "address": "https://example.org", "not_known": "e"},
}  # fmt: skip


def laid(target, layer) -> dict:
    file = target.parent / "layer.yaml"
    file.write_text(yaml.safe_dump(layer))
    apply(target, [file])
    return yaml.safe_load(target.read_text(encoding="utf-8"))


def test_a_mapping_of_data_is_replaced_whole_and_so_can_be_emptied(target):
    kept = {"sex": {"code 1": 0.5}}
    assert laid(target, {"data_tabular": {"resample": kept}})["data_tabular"]["resample"] == kept
    assert laid(target, {"data_tabular": {"resample": {}}})["data_tabular"]["resample"] == {}


def test_comments_on_the_next_key_stay_with_it_however_often_a_table_is_replaced(root, target):
    """They went below the first line of the table."""
    for name in ("csv", "adult", "csv"):
        apply(target, [root / f"examples/{name}.yaml"])
    text = target.read_text(encoding="utf-8")
    lines = [line.strip() for line in text.splitlines()]
    place = lines.index(
        "# Inject bias into the training split, by attribute and group; {} for none."
    )
    assert lines[place - 1].startswith("not_known: ")
    assert lines[place + 1].startswith("resample: {}")
    assert lines[lines.index(next(x for x in lines if x.startswith("csv: "))) + 1].startswith(
        "path:"
    )
    before = (root / "params.yaml").read_text(encoding="utf-8")
    kept = [x.strip() for x in before.splitlines() if x.strip().startswith("#")]
    assert [x for x in lines if x.startswith("#")] == kept


def test_a_second_table_keeps_nothing_of_the_first(target):
    laid(target, {"data_tabular": {"source": "csv", "target": "label", "csv": TABLE}})
    second = {**TABLE, "path": "data/raw/b.csv", "attributes": {"region": []}, "types": {}}
    found = laid(target, {"data_tabular": {"csv": second}})["data_tabular"]["csv"]
    assert found == second


def test_yes_stays_the_text_that_it_is(target):
    found = laid(target, {"data_tabular": {"source": "csv", "target": "label", "csv": TABLE}})
    assert found["data_tabular"]["csv"]["positive"] == "yes"
    unquoted = target.read_text(encoding="utf-8").replace("positive: 'yes'", "positive: yes")
    assert "positive: yes" in unquoted
    target.write_text(unquoted, encoding="utf-8")
    assert params.load(target).data_tabular.csv.positive == "yes"


def test_a_layer_that_changes_nothing_leaves_every_byte(root, target, tmp_path):
    (tmp_path / "same.yaml").write_text("seed: 42\ndata_tabular: {source: diabetes}\n")
    apply(target, [tmp_path / "same.yaml"])
    assert target.read_bytes() == (root / "params.yaml").read_bytes()


def test_an_applied_example_is_the_merged_one_and_the_other_lines_stay(root, target, examples):
    before = target.read_text(encoding="utf-8")
    for example in examples:
        target.write_text(before, encoding="utf-8")
        assert main.main(["params", "apply", "--root", str(target.parent), str(example)]) == 0
        after = target.read_text(encoding="utf-8")
        layer = yaml.safe_load(example.read_text(encoding="utf-8"))
        assert yaml.safe_load(after) == merge(yaml.safe_load(before), layer), example.name
        lost = set(before.splitlines()) - set(after.splitlines())
        assert len(lost) <= sum(1 for _ in leaves(layer)), example.name
        assert "# The parameters of the default pipeline" in after


def test_an_address_within_braces_is_written_so_that_dvc_reads_it(target, tmp_path):
    from dvc.utils.serialize import parse_yaml

    card = {"owner": "me: myself", "contact": "https://example.org", "licence": "x"}
    layer = tmp_path / "layer.yaml"
    layer.write_text(
        "card: {owner: 'me: myself', contact: https://example.org, licence: x}\n"
        "trainer: {strategy: auto}\n"
    )
    with pytest.raises(Exception, match="YAML file structure is corrupted"):
        parse_yaml(layer.read_text(), str(layer))
    apply(target, [layer])
    found = parse_yaml(target.read_text(encoding="utf-8"), str(target))
    assert found["card"] == card
    assert found == yaml.safe_load(target.read_text(encoding="utf-8"))


def test_the_later_of_two_files_wins(target, tmp_path):
    for name, seed in (("one", 1), ("two", 2)):
        (tmp_path / f"{name}.yaml").write_text(f"seed: {seed}\n")
    apply(target, [tmp_path / "one.yaml", tmp_path / "two.yaml"])
    assert yaml.safe_load(target.read_text())["seed"] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "params apply: layer.yaml must hold a mapping, got list"),
        ("seed: -1", "params.yaml: seed must be >= 0, got -1"),
        ("trian_fnn: {}", "params.yaml: trian_fnn must not be there, got {}; unknown key, see "
         "params.yaml for the known"),
    ],
)  # fmt: skip
def test_a_layer_that_breaks_a_rule_is_refused_and_nothing_is_written(
    target, tmp_path, text, message
):
    before = target.read_bytes()
    (tmp_path / "layer.yaml").write_text(text)
    with pytest.raises(ParamsError) as caught:
        apply(target, [tmp_path / "layer.yaml"])
    assert str(caught.value) == message
    assert target.read_bytes() == before


def test_a_file_that_is_not_there_is_named(target, tmp_path):
    with pytest.raises(
        ParamsError, match=r"^params apply: none\.yaml must be a readable YAML file"
    ):
        apply(target, [tmp_path / "none.yaml"])


def test_a_size_of_a_laboratory_replaces_values_and_its_faults_are_named(root, tmp_path):
    default, quick = (load_sized(root, "feedforward", size) for size in ("default", "quick"))
    assert default == params.load_study(root, "feedforward")
    assert (default.control.seeds, quick.control.seeds) == (16, 8)
    assert quick.control.lr == default.control.lr
    lab = tmp_path / "studies/feedforward"
    shutil.copytree(root / "studies/feedforward", lab)
    (lab / "quick.yaml").write_text("control: {seeds: 1, seed: 3}\n")
    (lab / "full.yaml").unlink()
    with pytest.raises(ParamsError) as caught:
        load_sized(tmp_path, "feedforward", "quick")
    assert str(caught.value).splitlines() == [
        "studies/feedforward/quick.yaml: control.seeds must be >= 2, got 1",
        "studies/feedforward/quick.yaml: control.seed must not be there, got 3; unknown key, see "
        "params.yaml for the known",
    ]
    with pytest.raises(ParamsError, match=r"^studies/feedforward/full\.yaml must be a readable"):
        load_sized(tmp_path, "feedforward", "full")
    known = ", ".join(sorted(params.STUDIES))
    with pytest.raises(ParamsError, match=f"lab must be one of {known}, got 'alchemy'"):
        load_sized(tmp_path, "alchemy", "quick")


def leaves(node):
    for value in node.values():
        if isinstance(value, dict) and value:
            yield from leaves(value)
        else:
            yield value


def test_how_an_empty_value_is_printed_elsewhere_is_left_alone():
    from dvc.utils.serialize import dumps_yaml

    _editor().dump({"here": None}, printed := io.StringIO())
    assert printed.getvalue() == "here: null\n"
    assert dumps_yaml({"there": None}) == "there:\n"
