import re

import pytest
import yaml

from plumbline.artifacts import plain
from plumbline.errors import ArtifactError
from plumbline.reporting.cards.facts import TEMPLATES
from plumbline.reporting.data.datasheet import answer_questions, datasheet_to_markdown, read_answers
from tests.data_audit.made_datasets import audit_of, table

ABOUT = {
    "title": "Made up",
    "description": "Rows of noise.",
    "licence": "none",
    "citation": "nobody",
    "address": "nowhere",
    "not_known": "everything",
    "split": "every fifth row",
    "attributes": {"sex": "Drawn by lot."},
    "raw_files": {"a.csv": "0" * 64},
}


def sections(owner=None, **about):
    schema = plain(table().schema) | {"about": {**ABOUT, **about}}
    audit = plain(audit_of("table"))
    audit["injected_bias"] = about.get("injected_bias")
    found = answer_questions(schema, audit, owner=owner or {}, maintainer="me", contact="here")
    return schema, found


def by_key(found):
    return {answer.key: answer for answers in found.values() for answer in answers}


def test_it_has_the_seven_sections():
    _, found = sections()
    assert list(found) == [
        "Motivation", "Composition", "Collection", "Preprocessing, cleaning, labelling", "Uses",
        "Distribution", "Maintenance",
    ]  # fmt: skip


def test_counts_and_groups_are_answered_from_the_data():
    _, found = sections()
    answers = by_key(found)
    assert answers["count"].from_data == "400 samples: 240 train, 80 val, 80 test."
    assert answers["subpopulations"].from_data.startswith(
        "sex (female 200, male 200). Drawn by lot."
    )
    assert answers["missing"].from_data == "No value is missing from the prepared samples."
    assert answers["contact"].from_data == "here"


def test_what_nobody_answers_is_listed_as_open_and_not_filled_in():
    schema, found = sections(owner={"consent": "Everybody signed."})
    page = datasheet_to_markdown(schema, found)
    open_part = page.partition("## Open questions")[2]
    listed = set(re.findall(r"`(\w+)`\)", open_part))
    wanted = {
        a.key
        for a in by_key(found).values()
        if not a.from_data and not a.from_owner and not a.key.endswith("_other")
    }
    assert listed == wanted
    assert "funding" in listed
    assert "consent" not in listed
    assert "Everybody signed." in page
    assert page.count("*Not answered.*") == len(wanted)


def test_planted_bias_is_said():
    _, found = sections(injected_bias=["labels of left flipped with probability 0.2"])
    assert "Bias was injected on purpose: labels of left" in by_key(found)["errors"].from_data


def test_owners_text_cannot_become_markup():
    schema, found = sections(owner={"funding": "<script>x</script> **us**"})
    page = datasheet_to_markdown(schema, found)
    assert "<script>" not in page
    assert "\\*\\*us\\*\\*" in page


@pytest.mark.parametrize("owner", [{"colour": "red"}, {"funding": 3}, {"funding": " "}])
def test_an_answer_to_no_question_is_refused(owner):
    with pytest.raises(ArtifactError, match="answers of made_up must be texts under one of"):
        sections(owner=owner)


def test_answers_are_read_by_source(tmp_path):
    path = tmp_path / "datasheets.yaml"
    assert read_answers(path, "a") == {}
    path.write_text("a: {funding: us}\n")
    assert read_answers(path, "a") == {"funding": "us"}
    assert read_answers(path, "b") == {}
    path.write_text("a: [1]\n")
    with pytest.raises(ArtifactError) as caught:
        read_answers(path, "a")
    assert str(caught.value) == "datasheets.yaml: answers of a must be a mapping, got list"
    path.write_text("a: [\n")
    with pytest.raises(ArtifactError, match="content must be YAML"):
        read_answers(path, "a")


def test_the_committed_answers_are_to_questions(root):
    every = yaml.safe_load((TEMPLATES / "datasheet.yaml").read_text(encoding="utf-8"))
    known = {key for section in every.values() for key in section["questions"]}
    answers = yaml.safe_load((root / "datasheets.yaml").read_text(encoding="utf-8"))
    assert {key for source in answers.values() for key in source} <= known


def test_absent_groups_and_merged_classes_stand_where_groups_and_labels_do():
    absent = {"sex": {"other": {"rows": 3, "absent_from": ["test"]}}}
    merged = {"class": "no", "values": {"later": 120, "never": 80}}
    answers = by_key(sections(absent_groups=absent, merged_classes=merged)[1])
    assert "Groups of sex without a row in a split: other (n = 3; none in test). " in (
        answers["subpopulations"].from_data
    )
    assert answers["label"].from_data == (
        "One of 2 classes: no, yes. Class no stands for later (120 rows), never (80 rows)."
    )
    plain_answers = by_key(sections()[1])
    assert "without a row" not in plain_answers["subpopulations"].from_data
    assert plain_answers["label"].from_data == "One of 2 classes: no, yes."


def test_missing_values_that_no_feature_marks_are_an_answer_about_missing_values():
    columns = {"age": {"missing_unmarked": 4}}
    with_some = by_key(sections(encoded_columns=columns)[1])["missing"].from_data
    assert "Missing values that no feature marks: age (4). " in with_some
    assert "No value is missing" not in with_some
    assert "that no feature marks" not in by_key(sections()[1])["missing"].from_data
