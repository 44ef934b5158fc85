import json
import re
import shutil

import pytest
import yaml
from huggingface_hub import ModelCard

from plumbline import artifacts, catalog, names
from plumbline.errors import ArtifactError
from plumbline.reporting.cards import facts
from plumbline.reporting.cards.card import check_card, render_card
from plumbline.reporting.cards.facts import TEMPLATES
from plumbline.reporting.references import count_references
from plumbline.runs import dvc_files

OWNER = {"owner": "an owner", "contact": "the tracker", "licence": "apache-2.0"}
HOSTILE = [
    "</td><script>alert(1)</script>",
    "x | y | z",
    "--> <!-- ref: reports/metrics/fnn.json#n = 1 -->",
    "a\n---\nlicense: none\n# heading",
    "[click](https://evil.example)",
    "{{ 7 * 7 }} ${x} `rm`",
    "value: 3  # ref: reports/metrics/fnn.json#n",
]


@pytest.fixture(scope="module")
def cards(tree):
    return {model: render_card(model, root=tree, **OWNER) for model in catalog.models()}


@pytest.fixture
def copy(tree, tmp_path):
    """A copy of the small files, to be changed."""
    ignore = shutil.ignore_patterns("*.parquet", "*.npy", "*.npz")
    return shutil.copytree(tree, tmp_path / "copy", ignore=ignore)


def plain(card):
    return re.sub(r"<!-- ref: .*? -->", "", card)


@pytest.mark.parametrize("model", catalog.models())
def test_the_front_matter_is_what_the_hub_reads(cards, tree, model):
    card = ModelCard(cards[model])
    metrics = artifacts.read_json(tree / f"reports/metrics/{model}.json")
    assert card.data.license == "apache-2.0"
    assert card.data.model_name == model
    assert card.data.datasets == [metrics["source"]]
    found = {r.metric_type: r.metric_value for r in card.data.eval_results}
    for quantity, estimate in metrics["metrics"].items():
        assert found[quantity] == estimate["value"]
    worst = artifacts.read_json(tree / f"reports/audits/{model}.json")["worst"]
    assert found[f"{worst['metric']}_gap"] == worst["value"]
    assert {r.dataset_split for r in card.data.eval_results} == {"test"}


@pytest.mark.parametrize("model", catalog.models())
def test_a_card_agrees_with_its_files(cards, tree, tmp_path, model):
    (tmp_path / "card.md").write_text(cards[model], encoding="utf-8")
    assert count_references(cards[model]) > 20
    assert check_card(tmp_path / "card.md", tree) == []


@pytest.mark.parametrize("model", catalog.models())
def test_a_card_has_every_section_and_none_is_empty(cards, model):
    body = plain(cards[model].split("---\n", 2)[2])
    assert re.findall(r"(?m)^## (.+)$", body) == [
        "Model details", "Intended use", "How to get started", "Training data",
        "Training procedure", "Evaluation", "Groups audited", "Limits", "Recommendations",
        "Environmental facts", "How to recompute every number", "Contact",
    ]  # fmt: skip
    for part in re.split(r"(?m)^#+ .+$", body)[1:]:
        assert part.strip()
    assert not re.search(r"(?i:todo|tbd|lorem|information needed)|None|START_|\bnan\b", body)


@pytest.mark.parametrize("model", catalog.models())
def test_every_measured_number_names_its_file(cards, model):
    body = cards[model].split("## Evaluation")[1].split("## Limits")[0]
    bare = re.sub(r"[-\d.e]+(?: %)?<!-- ref: .*? -->", "", body)
    assert not re.search(r"\d\.\d\d", bare)


def test_a_metric_that_moved_by_a_millionth_is_found_in_text_and_front_matter(cards, copy):
    path = copy / "reports/cards/fnn.md"
    artifacts.write_text(path, cards["fnn"])
    file = copy / "reports/metrics/fnn.json"
    metrics = artifacts.read_json(file)
    old = metrics["metrics"]["auroc"]["value"]
    metrics["metrics"]["auroc"]["value"] = old * (1 + 1e-6)
    artifacts.write_json(file, metrics)
    new = artifacts.read_json(file)["metrics"]["auroc"]["value"]
    fault = f"reports/metrics/fnn.json#metrics.auroc.value: value must be {new}, got {old}"
    assert check_card(path, copy) == [fault] * 3  # summary, table, front matter


def test_hostile_names_neither_format_nor_run_nor_pass_for_a_reference(copy):
    file = copy / "reports/audits/fnn.json"
    text = file.read_text()
    groups = sorted({r["group"] for r in json.loads(text)["rows"]} - {"overall"})
    for group, name in zip(groups, HOSTILE, strict=False):
        text = text.replace(json.dumps(group), json.dumps(name))
    for group, name in zip(("sex", "age_band"), HOSTILE[-2:], strict=True):
        text = text.replace(f'"{group}"', json.dumps(name))
    file.write_text(text)
    schema = copy / "data/prepared/tabular/schema.json"
    content = artifacts.read_json(schema)
    content["about"]["title"] = HOSTILE[3]
    content["about"]["address"] = "javascript:alert(1)"
    artifacts.write_json(schema, content)
    card = render_card("fnn", root=copy, **OWNER)
    path = copy / "reports/cards/fnn.md"
    artifacts.write_text(path, card)
    assert check_card(path, copy) == []
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["license"] == "apache-2.0"
    body = plain(card)
    assert "<script" not in body.split("---\n", 2)[2]
    assert "](https://evil" not in body
    assert "<javascript" not in body
    assert len(re.findall(r"(?m)^# ", body)) == 1  # the title
    tables = re.findall(r"(?m)^\| .* \|$", body)
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables} <= {3, 5, 8}


def test_an_unknown_source_has_no_card(copy):
    file = copy / "reports/metrics/fnn.json"
    artifacts.write_json(file, {**artifacts.read_json(file), "source": "other"})
    with pytest.raises(ArtifactError) as caught:
        render_card("fnn", root=copy, **OWNER)
    every = yaml.safe_load((TEMPLATES / "words.yaml").read_text(encoding="utf-8"))["sources"]
    assert str(caught.value) == (
        f"words.yaml: sources must be one of {sorted(every)}, got 'other'; write what a card "
        "should say about it"
    )


def test_data_without_a_licence_have_no_card(copy):
    file = copy / "data/prepared/tabular/schema.json"
    schema = artifacts.read_json(file)
    schema["about"]["licence"] = ""
    artifacts.write_json(file, schema)
    with pytest.raises(ArtifactError) as caught:
        render_card("fnn", root=copy, **OWNER)
    assert str(caught.value) == (
        "data/prepared/tabular/schema.json: about must have ['licence'], got none of them"
    )


def test_a_card_says_so_where_nothing_could_be_compared(copy):
    file = copy / "reports/audits/fnn.json"
    audit = artifacts.read_json(file)
    audit |= {"gaps": [], "worst": None, "rows": [r for r in audit["rows"] if r["verdict"] is None]}
    artifacts.write_json(file, audit)
    metrics = artifacts.read_json(copy / "reports/metrics/fnn.json")
    metrics["reference"] = {}
    artifacts.write_json(copy / "reports/metrics/fnn.json", metrics)
    card = render_card("fnn", root=copy, **OWNER)
    assert "The audit found no gap that could be estimated." in card
    assert "No gap could be computed: no attribute has two groups." in card
    assert "No group of fnn's test rows was too small to compare." in card
    assert "No reference was computed for this model" in card


def test_a_ratio_is_told_as_a_ratio(copy):
    file = copy / "reports/audits/fnn.json"
    audit = artifacts.read_json(file)
    audit["worst"] |= {"comparison": "ratio", "value": 0.5}
    artifacts.write_json(file, audit)
    card = plain(render_card("fnn", root=copy, **OWNER))
    assert "has 0.500" in card
    assert "times the value of" in card
    assert "_ratio" in card


def test_very_many_gaps_and_groups_are_cut_and_counted(copy):
    file = copy / "reports/audits/fnn.json"
    audit = artifacts.read_json(file)
    audit["gaps"] = [
        {**audit["gaps"][0], "attribute": "a×b", "lowest": f"l{i}"} for i in range(60)
    ] + [{**audit["gaps"][0], "attribute": "plain"}]
    audit["rows"] += [
        {**audit["rows"][0], "attribute": "sex", "group": f"g{i}", "verdict": "insufficient"}
        for i in range(100)
    ]
    artifacts.write_json(file, audit)
    card = render_card("fnn", root=copy, **OWNER)
    assert "| plain |" in card
    assert f"{61 - facts.MAX_GAPS} further gaps stand in the audit." in card
    assert "more in the audit" in card


def test_the_words_name_stages_that_exist(root):
    stages = dvc_files.stages(root)
    for model in catalog.models():
        every, _ = facts.card_words(model, "digits")
        assert set(every["stages"]) <= set(stages), model
        outs = [out for name in every["stages"] for out in stages[name].outs]
        for wanted in (names.MODEL_DIR / model, names.METRICS_DIR / f"{model}.json"):
            assert wanted.as_posix() in outs


def test_cards_never_promise_fairness(cards):
    for text in cards.values():
        assert not re.search(r"(?i)\bfair\b|unbiased|bias removed", text)


def test_the_card_says_what_weights_and_entities_did(copy, cards):
    path = copy / "reports/metrics/fnn.json"
    found = json.loads(path.read_text())
    path.write_text(json.dumps({**found, "weight": 210.5, "entities": 31}))
    card = render_card("fnn", root=copy, **OWNER)
    (copy / "card.md").write_text(card, encoding="utf-8")
    assert check_card(copy / "card.md", copy) == []
    assert "\n\nRows count by their weight, 210" in plain(card)
    assert "\n\nThe rows belong to 31 entities. Intervals allow for" in plain(card)
    assert "weight, " not in cards["fnn"]
    assert "entities" not in cards["fnn"]


def test_less_of_an_error_is_better_whatever_model_makes_it(copy, cards):
    path = copy / "reports/metrics/fnn.json"
    found = json.loads(path.read_text())
    name = names.RMSE
    found["main_metric"], found["metrics"][name] = name, {"value": 2.0, "low": 1.0, "high": 3.0}
    path.write_text(json.dumps(found))
    assert "A lower root mean squared error is better." in render_card("fnn", root=copy, **OWNER)
    assert "A higher AUROC is better." in cards["fnn"]


def test_a_card_says_in_a_line_what_was_seen_of_single_decisions(cards):
    line = next(x for x in re.sub(r"<!--.*?-->", "", cards["fnn"]).splitlines() if "nearest" in x)
    assert line == (
        "Of a row's 5 nearest others 0.750 (\\[0.625, 0.875\\]) get the same decision, and 0.750 "
        "(\\[0.625, 0.875\\]) have the same label; decisions with another sex stand in the report: "
        "[single decisions](../individual/fnn.md)."
    )
    assert "no attribute is a feature, so none could be changed" in cards["baseline"]
    assert "single decisions" not in cards["rnn"]
