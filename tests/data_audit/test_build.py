from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from plumbline.artifacts import DatasetSchema
from plumbline.data_audit import groups
from plumbline.data_audit.build import audit_dataset
from plumbline.data_audit.dataset import AuditedDataset
from plumbline.errors import DataError
from tests import prepared_folders
from tests.data_audit.made_datasets import OPTIONS, audit_of, images, splits, table


def audit(dataset, reference=None, **changes):
    return audit_dataset(dataset, options=replace(OPTIONS, **changes), reference=reference or {})


def gap(found, attribute, metric):
    (only,) = [g for g in found["gaps"] if (g["attribute"], g["metric"]) == (attribute, metric)]
    return only


def test_data_without_effect_show_no_difference_but_the_planted_proxy():
    found = audit_of("table")
    assert {g["verdict"] for g in found["gaps"]} == {"inconclusive"}
    verdicts = {p["attribute"]: p["verdict"] for p in found["proxies"]}
    assert verdicts["sex"] == "difference"
    assert verdicts["region"] == "inconclusive"


def test_counts_are_those_of_the_table():
    dataset, found = table(), audit_of("table")
    shares = {(r["attribute"], r["group"]): r for r in found["rows"] if r["metric"] == "share"}
    assert shares["sex", "female"]["n"] == 200
    assert shares["sex", "female"]["value"] == 0.5
    crossed = (dataset.table["sex"] + "×" + dataset.table["region"]).value_counts()
    for group, n in crossed.items():
        assert shares["sex×region", group]["n"] == n
    labels = [r for r in found["rows"] if r["metric"] == "label_rate/yes"]
    assert labels[0]["attribute"] == "overall"
    assert labels[0]["value"] == pytest.approx(dataset.table["y"].mean())


@pytest.mark.no_cover
def test_regions_beyond_500_are_one_group_that_is_not_compared_and_this_is_said():
    data = table(1300)
    region = np.where(np.arange(1300) < 1040, np.arange(1300) % 520, np.arange(1300) % 5)
    changed = AuditedDataset(data.schema, data.table.assign(region=[f"r{i:03d}" for i in region]))
    section, gaps = groups.representation(changed, replace(OPTIONS, min_group_size=1), {})
    own = {row["group"]: row["n"] for row in section if row["attribute"] == "region"}
    assert len(own) == 500
    assert own["(21 smaller groups)"] == 42
    assert sum(own.values()) == 1300
    assert all("smaller groups" not in f"{gap['lowest']}{gap['highest']}" for gap in gaps)
    note = (
        "region has 520 groups: the 499 largest stand by themselves, the 21 smallest (n = 42) are "
        "pooled as (21 smaller groups), which is described and not compared."
    )
    assert note in audit(changed)["notes"]


def test_a_reference_population_is_compared():
    found = audit(table(), {"sex": {"female": 0.7, "male": 0.3}})
    rows = [r for r in found["rows"] if r["metric"] == "representation_gap"]
    assert [(r["group"], r["verdict"]) for r in rows] == [
        ("female", "difference"),
        ("male", "difference"),
    ]
    assert not any("No reference" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (
            {"age": {"old": 1.0}},
            "data_audit: reference of tabular must name one of "
            "['region', 'sex', 'sex×region'], got 'age'",
        ),
        (
            {"sex": {"female": 0.5, "male": 0.4}},
            "data_audit: reference shares of sex must sum to 1, got 0.9",
        ),
    ],
)
def test_a_reference_that_does_not_fit_is_refused(reference, message):
    with pytest.raises(DataError) as caught:
        audit(table(), reference)
    assert str(caught.value) == message


def test_missing_values_are_counted_by_group():
    dataset = table()
    frame = dataset.table.copy()
    women = np.flatnonzero(frame["sex"] == "female")
    frame.loc[women[:60], "signal"] = np.nan
    found = audit(replace(dataset, table=frame))
    missing = gap(found, "sex", "missing_rate/signal")
    assert missing["value"] == pytest.approx(0.3)
    assert (missing["highest"], missing["verdict"]) == ("female", "difference")


@pytest.mark.no_cover
def test_what_was_filled_is_counted_as_missing():
    dataset = table()
    flags = {
        "income_missing": (dataset.table["sex"] == "female").astype(float),
        "job=(missing)": (np.arange(400) < 40).astype(float),
    }
    schema = replace(dataset.schema, features=(*dataset.schema.features, *flags))
    found = audit(AuditedDataset(schema, dataset.table.assign(**flags)))
    assert gap(found, "sex", "missing_rate/income")["value"] == 1.0
    everyone = next(r for r in found["rows"] if r["metric"] == "missing_rate/job")
    assert everyone["value"] == 0.1


def test_flipped_labels_of_one_group_are_found_by_their_neighbours():
    dataset = images(400)
    frame = dataset.table.copy()
    left = np.flatnonzero(frame["side"] == "left")
    frame.loc[left[::4], "y"] = 1 - frame.loc[left[::4], "y"]
    found = audit(replace(dataset, table=frame))
    flipped = gap(found, "side", "label_disagreement")
    assert (flipped["highest"], flipped["verdict"]) == ("left", "difference")
    assert len(found["disputed"]) == 30


def test_text_has_shares_duplicates_and_proxies_but_no_labels():
    found = audit_of("texts")
    assert {r["metric"] for r in found["rows"]} == {"share"}
    assert found["disputed"] == []
    assert [p["attribute"] for p in found["proxies"]] == ["shelf"]


def test_a_leak_is_reported():
    dataset = images()
    dataset.images[4] = dataset.images[0]
    assert audit(dataset)["duplicates"]["exact"]["count"] == 1


def test_a_small_group_is_insufficient():
    dataset = table()
    frame = dataset.table.copy()
    frame.loc[:4, "sex"] = "other"
    found = audit(replace(dataset, table=frame))
    rows = [r for r in found["rows"] if r["group"] == "other"]
    assert {r["verdict"] for r in rows} == {"insufficient"}


def test_a_numeric_target_is_cut_at_the_median():
    dataset = table()
    frame = dataset.table.assign(y=dataset.table["signal"])
    schema = replace(dataset.schema, task="regression", classes=())
    found = audit(AuditedDataset(schema, frame))
    rate = next(r for r in found["rows"] if r["metric"] == "label_rate/above the median")
    assert rate["value"] == pytest.approx(0.5, abs=0.06)


@pytest.mark.no_cover
def test_of_many_rows_some_are_looked_at_and_which_does_not_depend_on_their_order():
    dataset = table(400)
    assert audit(dataset, max_rows=150)["rows_examined"] == 150
    shuffled = dataset.table.sample(frac=1, random_state=0).reset_index(drop=True)
    other = AuditedDataset(dataset.schema, shuffled)
    chosen = set(dataset.table["sample_id"].iloc[dataset.sampled(150)])
    assert set(shuffled["sample_id"].iloc[other.sampled(150)]) == chosen


def test_categories_are_features_too():
    frame = pd.DataFrame(
        {
            "sample_id": [f"r{i}" for i in range(200)],
            "split": splits(200),
            "y": np.resize([0, 1], 200),
            "colour": np.resize(["red", "green", "blue"], 200),
            "size": np.linspace(0, 1, 200),
            "sex": np.resize(["f", "m", "m", "f"], 200),
        }
    )
    schema = DatasetSchema(
        dataset="tabular", source="made_up", task="binary", classes=("a", "b"),
        attributes=("sex",), features=("colour", "size"),
    )  # fmt: skip
    found = audit(AuditedDataset(schema, frame))
    assert {s["feature"] for s in found["proxies"][0]["strongest"]} == {
        "size", "colour_red", "colour_green", "colour_blue",
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["table", "image", "text"])
def test_prepared_folders_are_read(tmp_path, kind):
    folder = getattr(prepared_folders, f"write_{kind}_folder")(tmp_path)
    found = audit(AuditedDataset.read(folder))
    assert found["n"] == sum(found["splits"].values())
    assert found["rows"]


def rows_written(dataset, times):
    """Every row written several times, all of one entity: nothing more is known."""
    whole = dataset.table.loc[dataset.table.index.repeat(times)].reset_index(drop=True)
    whole["entity"] = whole["sample_id"]
    whole["sample_id"] = [f"{name}/{k % times}" for k, name in enumerate(whole["sample_id"])]
    return AuditedDataset(dataset.schema, whole)


def values(found, metric):
    return {(r["attribute"], r["group"]): r for r in found["rows"] if r["metric"] == metric}


@pytest.mark.no_cover
def test_rows_of_one_entity_do_not_narrow_an_interval():
    one, four = audit(table(150)), audit(rows_written(table(150), 4))
    for metric in ("share", "label_rate/yes"):
        plain, clustered = values(one, metric), values(four, metric)
        assert plain.keys() == clustered.keys()
        for key, row in plain.items():
            other = clustered[key]
            assert other["value"] == pytest.approx(row["value"])
            assert other["n"] == 4 * row["n"]
            width, wide = row["high"] - row["low"], other["high"] - other["low"]
            assert width <= wide < 1.1 * width  # a little wider, as Student's t for so many
            assert metric != "share" or other["entities"] == row["n"]
    assert (four["n"], four["entities"]) == (600, 150)
    assert "entities" not in one
    assert any("Rows of one entity are not independent" in note for note in four["notes"])
    drift = gap(four, "region", "share_drift")
    assert drift["verdict"] == "inconclusive"
    assert drift["value"] == pytest.approx(gap(one, "region", "share_drift")["value"])


@pytest.mark.no_cover
def test_groups_are_large_enough_by_entities():
    dataset = rows_written(table(40), 15)  # 20 women and 20 men
    found = audit(dataset, min_group_size=25)
    assert {r["verdict"] for k, r in values(found, "share").items() if k[0] == "sex"} == {
        "insufficient"
    }


@pytest.mark.no_cover
def test_shares_are_weighted_and_both_counts_shown():
    dataset = table(200)
    female = (dataset.table["sex"] == "female").to_numpy()
    dataset.table["sample_weight"] = np.where(female, 3.0, 1.0)
    found = audit(dataset, {"sex": {"female": 0.75, "male": 0.25}})
    row = values(found, "share")["sex", "female"]
    assert (row["n"], row["weight"], row["value"]) == (100, 300.0, 0.75)
    assert found["weight"] == 400.0
    # Half of the rows, three quarters of the weight: the population that was declared.
    assert {r["verdict"] for r in values(found, "representation_gap").values()} == {"inconclusive"}
    rate = values(found, "label_rate/yes")["overall", "all"]
    weight, y = dataset.table["sample_weight"], dataset.table["y"]
    assert rate["value"] == pytest.approx((weight * y).sum() / weight.sum())
    plain = audit(table(200))
    assert rate["high"] - rate["low"] > (
        values(plain, "label_rate/yes")["overall", "all"]["high"]
        - values(plain, "label_rate/yes")["overall", "all"]["low"]
    )


def test_the_notes_say_how_the_split_was_made_and_which_groups_it_lacks():
    dataset = table()
    absent = {"sex": {"other": {"rows": 3, "absent_from": ["test"]}}}
    about = {"split": "by time, column 'day'", "absent_groups": absent}
    schema = replace(dataset.schema, about={**dataset.schema.about, **about})
    first, second, *_ = audit(replace(dataset, schema=schema))["notes"]
    assert first == "Split: by time, column 'day'."
    assert second.startswith(
        "Groups of sex without a row in a split: other (n = 3; none in test). No metric "
    )


@pytest.mark.no_cover
def test_values_that_no_feature_marks_are_not_passed_off_as_present():
    dataset = table()
    about = {**dataset.schema.about, "encoded_columns": {"age": {"missing_unmarked": 4}}}
    none = "No feature of the table has missing values."
    assert none in audit(dataset)["notes"]
    notes = audit(replace(dataset, schema=replace(dataset.schema, about=about)))["notes"]
    assert none not in notes
    assert any(note.startswith("Missing values that no feature marks: age (4). ") for note in notes)
