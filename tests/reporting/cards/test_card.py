import json
import re
import shutil

import pytest
import yaml
from huggingface_hub import ModelCard

from plumbline import artifacts, catalog, names
from plumbline.errors import ArtifactError
from plumbline.reporting.cards import audit_context, facts
from plumbline.reporting.cards.card import render_card
from plumbline.reporting.cards.check import check_cards
from plumbline.reporting.cards.facts import TEMPLATES
from tests.artifacts.test_plain_text import hidden

OWNER = {"owner": "an owner", "contact": "the tracker", "licence": "apache-2.0"}
HOSTILE = [
    "</td><script>alert(1)</script>",
    "x | y | z",
    "--> <!-- ref: %5B%22reports/metrics/fnn.json%22%2C%20%5B%22n%22%5D%2C%201%2C%20%22%22%5D -->",
    "a\n---\nlicense: none\n# heading",
    "[click](https://evil.example)\u2066\x07",
    "{{ 7 * 7 }} ${x} `rm`",
    "value: 3",
]


@pytest.fixture(scope="module")
def cards(tree):
    return {model: card(tree, model) for model in catalog.models()}


@pytest.fixture
def copy(tree, tmp_path):
    """A copy of the small files, to be changed."""
    ignore = shutil.ignore_patterns("*.parquet", "*.npy", "*.npz")
    return shutil.copytree(tree, tmp_path / "copy", ignore=ignore)


def card(root, model="fnn"):
    return render_card(model, root=root, **OWNER)[0]


def write(root, model="fnn"):
    """Write the card of a model with its references; return its path."""
    text, references = render_card(model, root=root, **OWNER)
    path = root / f"reports/cards/{model}.md"
    artifacts.write_text(path, text)
    artifacts.write_json(path.with_suffix(".refs.json"), references)
    return path


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
    if worst is not None:
        assert found[f"{worst['metric']}_gap"] == worst["value"]
    assert {r.dataset_split for r in card.data.eval_results} == {"test"}


@pytest.mark.parametrize("model", catalog.models())
def test_a_card_is_clean_markdown_that_agrees_with_its_files(copy, model):
    path = write(copy, model)
    total, faults = check_cards(copy, [path])
    assert total > 20
    assert faults == []
    assert "<!--" not in path.read_text(encoding="utf-8")
    assert "# ref" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("model", catalog.models())
def test_a_card_has_every_section_and_none_is_empty(cards, model):
    body = cards[model].split("---\n", 2)[2]
    assert re.findall(r"(?m)^## (.+)$", body) == [
        "Model details", "Intended use", "How to get started", "Training data",
        "Training procedure", "Evaluation", "Groups audited", "Limits", "Recommendations",
        "Environmental impact", "How to recompute the numbers", "Contact",
    ]  # fmt: skip
    for part in re.split(r"(?m)^#+ .+$", body)[1:]:
        assert part.strip()
    assert not re.search(r"(?i:todo|tbd|lorem|information needed)|None|START_|\bnan\b", body)


@pytest.mark.parametrize("model", catalog.models())
def test_every_measured_number_has_a_reference(tree, model):
    text, references = render_card(model, root=tree, **OWNER)
    lines = text.split("\n")
    for entry in references:
        line, start = lines[entry["line"] - 1], entry["column"] - 1
        end = start + len(entry["text"])
        assert line[start:end] == entry["text"]
        lines[entry["line"] - 1] = line[:start] + "#" * len(entry["text"]) + line[end:]
    body = "\n".join(lines).split("## Evaluation")[1].split("## Limits")[0]
    measured = re.sub(r"(?m)^- .*$", "", body)  # margins and notes are texts of other files
    assert not re.search(r"\d\.\d\d", measured)


def test_commands_can_be_copied(cards):
    assert "\ndvc repro card@finetune_full\n" in cards["finetune_full"]
    assert "verify cards reports/cards/finetune_full.md\n" in cards["finetune_full"]


def test_settings_are_listed_once(tree, cards):
    rows = re.findall(r"(?m)^\| `([\w.]+)` \| ", cards["fnn"].split("## Evaluation")[0])
    assert {"hidden", "dropout", "best_epoch"} <= set(rows)
    assert len(rows) == len(set(rows))


def test_a_setting_that_is_also_an_argument_is_left_out_unless_it_differs(copy):
    file = copy / "data/models/fnn/config.json"
    config = artifacts.read_json(file)
    config["facts"]["settings"] = {"dropout": 0.2, "init": "other", "lr": 0.5}
    artifacts.write_json(file, config)
    text = card(copy)
    assert "| `settings.dropout` |" not in text
    assert "| `settings.init` | other |" in text
    assert "| `settings.lr` | 0.5 |" in text


def test_a_card_needs_no_file_of_another_model_or_study(copy, cards):
    for folder in ("standards", "individual", "mitigation", "figures"):
        shutil.rmtree(copy / "reports" / folder, ignore_errors=True)
    for path in (copy / "reports/metrics").glob("*.json"):
        if path.stem != "rnn":
            path.unlink()
    assert card(copy, "rnn") == cards["rnn"]


def test_a_metric_that_moved_by_a_millionth_is_found_in_text_and_front_matter(copy):
    path = write(copy)
    file = copy / "reports/metrics/fnn.json"
    metrics = artifacts.read_json(file)
    old = metrics["metrics"]["auroc"]["value"]
    metrics["metrics"]["auroc"]["value"] = old * (1 + 1e-6)
    artifacts.write_json(file, metrics)
    new = artifacts.read_json(file)["metrics"]["auroc"]["value"]
    fault = f"fnn.md: reports/metrics/fnn.json#metrics.auroc.value: value must be {new}, got {old}"
    assert check_cards(copy, [path])[1] == [fault] * 3  # front matter, summary, table


def test_a_number_that_was_edited_in_the_card_is_found(copy):
    path = write(copy)
    text = path.read_text(encoding="utf-8")
    auroc = artifacts.read_json(copy / "reports/metrics/fnn.json")["metrics"]["auroc"]["value"]
    for number in (f"{auroc:.3f}", str(auroc)):
        changed = text.replace(number, number[:-1] + str((int(number[-1]) + 1) % 10))
        artifacts.write_text(path, changed)
        faults = check_cards(copy, [path])[1]
        assert faults
        assert all("#metrics.auroc.value: line" in fault for fault in faults)


def test_hostile_names_neither_format_nor_run_nor_pass_for_a_reference(copy):
    file = copy / "reports/audits/fnn.json"
    text = file.read_text()
    rows = json.loads(text)["rows"]
    groups = sorted({row["group"] for row in rows if row["attribute"] in ("sex", "age_band")})
    for group, name in zip(groups, HOSTILE, strict=False):
        text = text.replace(json.dumps(group), json.dumps(name))
    for group, name in zip(("sex", "age_band"), HOSTILE[-2:], strict=True):
        text = text.replace(f'"{group}"', json.dumps(name))
    file.write_text(text)
    schema = copy / "data/prepared/tabular/schema.json"
    content = artifacts.read_json(schema)
    content["about"]["title"] = f"\x1b[2J\u202e{HOSTILE[3]}"
    content["about"]["address"] = "javascript:alert(1)"
    artifacts.write_json(schema, content)
    path = write(copy)
    assert check_cards(copy, [path])[1] == []
    text = path.read_text(encoding="utf-8")
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["license"] == "apache-2.0"
    body = text
    assert "<script" not in body.split("---\n", 2)[2]
    assert not hidden(body.replace("\n", ""))
    assert "&lt;!-- ref: " in body
    assert "](https://evil" not in body
    assert "<javascript" not in body
    assert len(re.findall(r"(?m)^# ", body)) == 1  # the title
    tables = re.findall(r"(?m)^\| .* \|$", body)
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables} <= {3, 5, 7, 9}


def test_a_card_counts_all_four_verdicts_first_and_says_what_would_have_been_shown(copy):
    file = copy / "reports/audits/fnn.json"
    audit = artifacts.read_json(file)
    audit["remarks"] = ["The score is reversed."]
    audit["worst"] |= {"verdict": "inconclusive", "detectable": 0.613}
    artifacts.write_json(file, audit)
    head = card(copy).split("## Model details")[0]
    assert "**The score is reversed.**" in head
    assert re.search(
        r"Gaps between groups: \d+ as highest − lowest: \d+ difference, \d+ equivalent, "
        r"\d+ inconclusive, \d+ insufficient;", head
    )  # fmt: skip
    assert "a gap of 0.613 would have been shown in 80 % of samples" in head


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


def test_a_model_without_texts_has_a_card_that_leaves_open_what_nobody_wrote(copy, monkeypatch):
    every = facts._every_word()
    models = {name: texts for name, texts in every["models"].items() if name != "fnn"}
    monkeypatch.setattr(facts, "_every_word", lambda: {**every, "models": models})
    path = write(copy)
    text = path.read_text(encoding="utf-8")
    assert "# Feed-forward network\n" in text
    assert text.count("Open question: ") == 3
    assert "plumbline.training.recipes.tables:fit" in text
    total, faults = check_cards(copy, [path])
    assert total > 20
    assert faults == []


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
    text = card(copy)
    assert "The audit found no gap that could be estimated." in text
    assert "No gap could be computed: no attribute has two groups." in text
    assert "No group of fnn's test rows was too small to compare." in text
    assert "This model has no baseline" in text


def test_a_ratio_is_told_as_a_ratio(copy):
    file = copy / "reports/audits/fnn.json"
    audit = artifacts.read_json(file)
    audit["worst"] |= {"comparison": "ratio", "value": 0.5}
    artifacts.write_json(file, audit)
    text = card(copy)
    assert "has 0.500" in text
    assert "times the value of" in text
    assert "_ratio" in text


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
    text = card(copy)
    assert "| plain |" in text
    assert f"{61 - audit_context.MAX_GAPS} further gaps are in the audit." in text
    assert "more in the audit" in text


def test_cards_never_promise_fairness(cards):
    for text in cards.values():
        assert not re.search(r"(?i)\bfair\b|unbiased|bias removed", text)


def test_the_card_names_groups_that_a_split_lacks_and_merged_classes(copy, cards):
    path = copy / "data/prepared/tabular/schema.json"
    found = json.loads(path.read_text())
    found["about"]["merged_classes"] = {"class": "below_median", "values": {"a": 7, "b": 12}}
    found["about"]["absent_groups"] = {"sex": {"x": {"rows": 2, "absent_from": ["val", "test"]}}}
    found["about"]["encoded_columns"] = {"age": {"missing_unmarked": 4}}
    path.write_text(json.dumps(found))
    assert "Missing values that no feature marks: age (4). " in card(copy)
    told = "Groups of sex without a row in a split: x (n = 2; none in val and test). No metric "
    assert told in card(copy)
    assert "Class below_median stands for a (7 rows), b (12 rows)." in card(copy).replace("\\", "")
    assert check_cards(copy, [write(copy)])[1] == []
    assert told not in cards["fnn"]


@pytest.mark.parametrize(("licence", "told"), [("Apache-2.0", "Apache-2.0"), (None, "not stated")])
def test_the_card_says_where_pretrained_weights_are_from(copy, cards, licence, told):
    path = copy / "data/models/finetune_full/config.json"
    found = json.loads(path.read_text())
    found["facts"]["pretrained"] = {
        "source": "package:efficientnet_lite0", "origin": "Python package x 0.1.0",
        "architecture": "tf_efficientnet_lite0", "licence": licence, "sha256": "ab" * 32,
    }  # fmt: skip
    path.write_text(json.dumps(found))
    text = card(copy, "finetune_full").replace("\\", "")
    assert "weights: Python package x 0.1.0; architecture tf_efficientnet_lite0; " in text
    assert f"; licence: {told}" in text
    assert f"SHA-256 `{'ab' * 32}`. What they were trained on" in text
    assert check_cards(copy, [write(copy, "finetune_full")])[1] == []
    assert "The fit started from" not in cards["finetune_full"]


def test_the_card_describes_weights_and_entities(copy, cards):
    path = copy / "reports/metrics/fnn.json"
    found = json.loads(path.read_text())
    path.write_text(json.dumps({**found, "weight": 210.5, "entities": 31}))
    text = card(copy)
    assert check_cards(copy, [write(copy)])[1] == []
    assert (
        "\n\nRows are weighted in training and in every metric; the sum of weights is 210" in text
    )
    assert "\n\nThe rows belong to 31 entities. Intervals allow for" in text
    assert "sum of weights" not in cards["fnn"]
    assert "entities" not in cards["fnn"]


def test_the_card_of_a_text_describes_uncontained_documents_and_the_mixture(copy, cards):
    path = copy / "reports/metrics/rnn.json"
    found = json.loads(path.read_text())
    bits = {**found["metrics"]["bits_per_character"], "n": 38, "max_containment": 0.1}
    found["metrics"]["bits_per_character_uncontained"] = bits
    found["mixture"] = {"with": "ngram", "weight": 0.25, "fitted_on": "val"}
    path.write_text(json.dumps(found))
    text = card(copy, "rnn")
    assert "of the 38 documents of which a share of at most 0.100 of the five-word runs" in text
    assert "this model's, with weight 0.250, and that of ngram; the weight was fitted on" in text
    assert "mixture" not in cards["ngram"]


def test_less_of_an_error_is_better_whatever_model_makes_it(copy, cards):
    path = copy / "reports/metrics/fnn.json"
    found = json.loads(path.read_text())
    name = names.RMSE
    found["main_metric"], found["metrics"][name] = name, {"value": 2.0, "low": 1.0, "high": 3.0}
    path.write_text(json.dumps(found))
    assert "A lower root mean squared error is better." in card(copy)
    assert "A higher AUROC is better." in cards["fnn"]


def test_the_card_of_a_generator_says_how_its_coverage_compares_with_real_images(cards, tree):
    metrics = artifacts.read_json(tree / "reports/metrics/gan.json")
    coverage = metrics["metrics"]["coverage/cnn"]
    real = metrics["reference"]["coverage/cnn"]["value"]
    (line,) = re.findall(r"^The coverage \(cnn\) of the samples is .*$", cards["gan"], re.M)
    assert f"{coverage['value']:.3f} [{coverage['low']:.3f}, {coverage['high']:.3f}]" in line
    assert f"{real:.3f}. " in line
    below = coverage["high"] < real
    assert ("generated too rarely or not at all" in line) == below
    for row in metrics["class_shares"]:
        cell = f"| {row['class']} | {row['real']:.3f} | {row['recognised']:.3f} "
        assert (
            cell + f"| {row['value']:.3f} | [{row['low']:.3f}, {row['high']:.3f}] |" in cards["gan"]
        )
    assert "Shares of the classes" not in cards["cnn"]


def test_a_card_says_what_its_numbers_were_measured_on(cards, tree):
    read = {m: artifacts.read_json(tree / f"reports/metrics/{m}.json") for m in ("gan", "rnn")}
    real = read["gan"]["extractor_info"]["real"]
    assert f"Of {read['gan']['n']} generated images, compared with the {real} test" in cards["gan"]
    assert "sampling of generated and test images, not another" in cards["gan"]
    audit = artifacts.read_json(tree / "reports/audits/rnn.json")
    n = next(row["n"] for row in audit["rows"] if row["attribute"] == names.OVERALL)
    assert f"On the {n} test documents ({read['rnn']['n']} blocks) of" in cards["rnn"]
    assert "sampling of test documents, not another" in cards["rnn"]


def test_a_representation_gap_is_of_one_group_against_the_real_images(cards, tree):
    gaps = artifacts.read_json(tree / "reports/audits/gan.json")["gaps"]
    assert any(gap["metric"] == names.REPRESENTATION_GAP for gap in gaps)
    assert re.search(r"\| representation gap \|.*: samples minus real images \|", cards["gan"])
    groups = re.search(r"\*\*thickness:\*\* .* Groups: (.*)\.", cards["gan"])[1]
    n = artifacts.read_json(tree / "reports/audits/gan.json")["n"]
    assert sum(int(size) for size in re.findall(r"n = (\d+)", groups)) == n  # each its own images


@pytest.mark.parametrize(("ends", "often"), [((0.3, 0.4), "more"), ((0.0, 0.1), "less")])
def test_repetition_is_told_where_its_interval_excludes_that_of_real_images(copy, ends, often):
    file = copy / "reports/metrics/gan.json"
    metrics = artifacts.read_json(file)
    name = names.generative(names.REPETITION)
    metrics["metrics"][name] = {"value": sum(ends) / 2, "low": ends[0], "high": ends[1]}
    metrics["reference"][name] = {"value": 0.2, "low": None, "high": None}
    artifacts.write_json(file, metrics)
    assert f"Samples repeat one another {often} often than real images do." in card(copy, "gan")
    metrics["reference"][name]["value"] = sum(ends) / 2
    artifacts.write_json(file, metrics)
    assert "Samples repeat one another" not in card(copy, "gan")
