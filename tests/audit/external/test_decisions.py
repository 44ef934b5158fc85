"""Files of decisions: what is counted, and what is refused."""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from plumbline import names
from plumbline.audit.counts import contingency_to_statistics
from plumbline.audit.external import decisions
from plumbline.audit.external.decisions import Columns, file_to_contingency
from plumbline.audit.rates import statistics_to_rates
from plumbline.errors import DataError, MetricError
from plumbline.metrics.groups import confusions, contingency, discrimination, score_bins
from plumbline.metrics.groups.thresholds import decide
from plumbline.table_files import Dialect

PLAIN = Columns(label="y", attributes=("race", "sex"), decision="yhat", score="p")


def people(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    p = rng.random(n)
    return pd.DataFrame(
        {
            "sex": rng.choice(["Female", "Male"], n),
            "race": rng.choice(list("ABC"), n),
            "y": rng.integers(2, size=n),
            "p": p,
            "yhat": (p >= 0.5).astype(int),
            "w": rng.gamma(2, size=n),
            "who": rng.integers(300, size=n),
        }
    )


def written(folder, table, form="parquet"):
    path = folder / f"decisions.{form}"
    if form == "parquet":
        table.to_parquet(path, index=False)
    else:
        table.to_csv(path, index=False, sep="\t" if form == "tsv" else ",")
    return path


@pytest.mark.parametrize("form", ["parquet", "csv", "tsv", "csv.gz"])
@pytest.mark.parametrize("extra", [{}, {"weight": "w"}, {"entity": "who"}])
@pytest.mark.parametrize("large", [False, True])
def test_a_file_has_the_cells_of_its_table(tmp_path, form, extra, large, monkeypatch):
    if large:  # as if scores went to bins of one width
        monkeypatch.setattr(decisions, "_SMALL_FILE", 0)
        monkeypatch.setattr(score_bins, "EXACT", 1)
    table = people()
    columns = Columns(**{**PLAIN.__dict__, **extra})
    found = file_to_contingency(written(tmp_path, table, form), columns)
    expected = contingency.table_to_contingency(
        table.assign(y_true=table["y"], y_pred=table["yhat"]),
        attributes=("race", "sex"), classes=("0", "1"), positive="1", score=table["p"],
        weight=table["w"] if "weight" in extra else None,
        entity=table["who"] if "entity" in extra else None,
    )  # fmt: skip
    for options in ({"max_order": 2, "overall": True},):
        pd.testing.assert_frame_equal(
            confusions.contingency_to_counts(found, **options),
            confusions.contingency_to_counts(expected, **options),
        )
    np.testing.assert_allclose(np.sort(found.score), np.sort(expected.score), atol=1e-9)
    np.testing.assert_array_equal(found.edges, expected.edges)


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        ({0: 0.0, 1: 1.0}, None),
        ({0: False, 1: True}, None),
        ({0: "0", 1: "1"}, None),
        ({0: "-1", 1: "1"}, None),
        ({0: "bad", 1: "good"}, "good"),
    ],
)
def test_labels_may_be_written_in_any_way(tmp_path, values, positive):
    table = people(200)
    counts = confusions.contingency_to_counts(
        file_to_contingency(written(tmp_path, table), PLAIN), max_order=1
    )
    renamed = table.assign(y=table["y"].map(values), yhat=table["yhat"].map(values))
    for form in ("parquet", "csv"):
        found = file_to_contingency(written(tmp_path, renamed, form), PLAIN, positive=positive)
        pd.testing.assert_frame_equal(confusions.contingency_to_counts(found, max_order=1), counts)


@pytest.mark.parametrize("extra", [{}, {"weight": "w"}])
def test_sums_do_not_depend_on_the_order_of_the_rows(tmp_path, extra):
    """Bit for bit: several threads add up rows in whatever order they come."""
    table = people(5000).assign(w=lambda t: t["w"] * 10.0 ** np.arange(5000).clip(0, 9))
    columns = Columns(**{**PLAIN.__dict__, **extra})
    whole = file_to_contingency(written(tmp_path, table), columns)
    moved = file_to_contingency(written(tmp_path, table.sample(frac=1, random_state=3)), columns)
    for field in ("codes", "true", "decided", "bin", "n", "weight", "weight2", "score"):
        assert getattr(whole, field).tobytes() == getattr(moved, field).tobytes()
    weight = table["w"] if extra else np.ones(5000)
    assert whole.score.sum() == pytest.approx(math.fsum(weight * table["p"]), rel=1e-15)
    assert whole.weight.sum() == pytest.approx(math.fsum(weight), rel=1e-15)


def test_totals_are_exact_where_numbers_are_of_one_magnitude(tmp_path):
    """A sum of doubles loses the ones: 2**53 + 1 + 1 is 2**53 to it, in that order."""
    table = people(3).assign(sex="x", race="x", y=1, yhat=1, w=[2.0**53, 1.0, 1.0])
    columns = Columns(label="y", attributes=("sex",), decision="yhat", weight="w")
    assert file_to_contingency(written(tmp_path, table), columns).weight.tolist() == [2.0**53 + 2]


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_an_infinite_weight_is_refused(tmp_path, form):
    path = written(tmp_path, people(9).assign(w=[np.inf] * 9), form)
    with pytest.raises(DataError) as error:
        file_to_contingency(path, Columns(**{**PLAIN.__dict__, "weight": "w"}))
    assert str(error.value) == (
        f"audit: numbers of decisions.{form} must be finite, got inf; leave such rows out"
    )


def test_rows_without_an_attribute_are_a_group_of_their_own(tmp_path):
    table = people(500)
    table["race"] = table["race"].astype(object)
    table.loc[:9, "race"] = None
    table.loc[10:14, "race"] = " "
    for form in ("parquet", "csv"):
        found = file_to_contingency(written(tmp_path, table, form), PLAIN)
        counts = confusions.contingency_to_counts(found, max_order=1).set_index("group")
        assert counts.loc[names.UNKNOWN, "n"] == 15


def test_a_threshold_takes_the_place_of_decisions(tmp_path):
    table = people(500)
    found = file_to_contingency(
        written(tmp_path, table),
        Columns(label="y", attributes=("sex",), score="p", threshold=0.8),
    )
    selected = found.n[found.decided == 1].sum()
    assert selected == (table["p"] >= 0.8).sum()


def test_many_classes_are_counted_on_request(tmp_path):
    rng = np.random.default_rng(0)
    table = people(300).assign(y=rng.choice(list("xyz"), 300), yhat=rng.choice(list("xyz"), 300))
    columns = Columns(label="y", attributes=("sex",), decision="yhat")
    path = written(tmp_path, table)
    found = file_to_contingency(path, columns, multiclass=True)
    expected = pd.crosstab(table["y"], table["yhat"]).to_numpy()
    counted = np.zeros((3, 3), dtype=int)
    np.add.at(counted, (found.true, found.decided), found.n)
    np.testing.assert_array_equal(counted, expected)
    with pytest.raises(DataError) as error:
        file_to_contingency(path, columns)
    assert str(error.value) == (f"audit: label must have two values, got 3: x, y, z; {MANY}")


MANY = "to count each class against the rest use plumbline audit --multiclass"
# What is done to the table, and what is said of it.
FAULTS = {
    "no attribute": (
        lambda t: t.drop(columns="race"),
        "audit: attribute must be a column of decisions.csv, got 'race'; it has "
        "['sex', 'y', 'p', 'yhat', 'w', 'who']",
    ),
    "no score": (
        lambda t: t.drop(columns="p"),
        "audit: score must be a column of decisions.csv, got 'p'; it has "
        "['sex', 'race', 'y', 'yhat', 'w', 'who']",
    ),
    "no rows": (lambda t: t.iloc[:0], "audit: decisions.csv must have rows, got a header only"),
    "label unknown": (
        lambda t: t.assign(y=t["y"].where(t.index > 0)),
        "audit: label must be known in every row of decisions.csv, got 1 rows without; leave them "
        "out, or count them as an attribute",
    ),
    "score unknown": (
        lambda t: t.assign(p=t["p"].where(t.index > 0)),
        "audit: score 'p' must be a number in every row, got 1 rows without one",
    ),
    "score without end": (
        lambda t: t.assign(p=t["p"].where(t.index > 0, -np.inf)),
        "audit: score 'p' must be finite in every row, got -inf; leave such rows out",
    ),
    "words": (
        lambda t: t.assign(y=t["y"].map({0: "no", 1: "yes"}), yhat="no"),
        "audit: the positive value must be one of ['no', 'yes'], got none; name it with --positive",
    ),
    "values of another language": (
        lambda t: t.assign(yhat=t["yhat"].map({0: "low", 1: "high"})),
        "audit: label and decision must have the same values, got 0, 1 and high, low; write them "
        "alike",
    ),
    "three values": (
        lambda t: t.assign(yhat=t["yhat"] + 1),
        f"audit: label and decision together must have two values, got 3: 0, 1, 2; {MANY}",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_counted_is_named(tmp_path, fault):
    spoil, message = FAULTS[fault]
    with pytest.raises(DataError) as error:
        file_to_contingency(written(tmp_path, spoil(people(50)), "csv"), PLAIN)
    assert str(error.value) == message


# Any number that ranks: deciles of risk, credit scores, log-odds, a score where less is better.
SCALES = {
    "deciles": lambda p: np.ceil(10 * p).clip(1, 10),
    "credit": lambda p: np.round(300 + 550 * p),
    "log-odds": lambda p: np.log(p / (1 - p)),
    "large": lambda p: 1e12 * p,
    "tiny": lambda p: 1.0 + 1e-6 * p,
    "less is better": lambda p: -100 * p,
    "constant": lambda p: 0 * p + 7,
}


@pytest.mark.no_cover
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("ranges", [False, True])
def test_any_number_ranks_as_scikit_learn_says_and_is_no_probability(
    tmp_path, monkeypatch, scale, ranges
):
    if ranges:
        monkeypatch.setattr(score_bins, "EXACT", 1)
    table = people(1500)
    table["y"] = (np.random.default_rng(2).random(1500) < table["p"]).astype(int)
    table["p"] = SCALES[scale](table["p"])
    for extra in ({}, {"weight": "w"}, {"entity": "who"}):
        found = file_to_contingency(
            written(tmp_path, table), Columns(**{**PLAIN.__dict__, **extra})
        )
        assert not found.probabilities
        assert found.ranges is (ranges and table["p"].nunique() > 1)
        rows = discrimination.score_rates(found, max_order=1, confidence=0.95)
        assert set(rows["metric"]) == {names.AUROC}
        rows = rows.set_index(["attribute", "group"])
        for sex, own in table.groupby("sex"):
            expected = roc_auc_score(
                own["y"], own["p"], sample_weight=own["w"] if "weight" in extra else None
            )
            row = rows.loc[("sex", sex)]
            assert row["value"] == pytest.approx(expected, abs=1e-3 if ranges else 1e-12)
            assert row["low"] <= expected <= row["high"]


def test_a_score_on_another_scale_has_the_same_area_interval_and_decisions(tmp_path):
    table = people(1500)
    path = written(tmp_path, table)
    moved = written(tmp_path, table.assign(p=300 + 550 * table["p"]), "csv")
    one = file_to_contingency(path, Columns(**{**PLAIN.__dict__, "threshold": 0.5}))
    other = file_to_contingency(moved, Columns(**{**PLAIN.__dict__, "threshold": 575.0}))
    assert (one.probabilities, other.probabilities) == (True, False)
    np.testing.assert_array_equal(one.decided, other.decided)
    first, second = (
        discrimination.score_rates(found, max_order=2, confidence=0.95).query("metric == 'auroc'")
        for found in (one, other)
    )
    pd.testing.assert_frame_equal(first.reset_index(drop=True), second.reset_index(drop=True))


def test_scores_within_0_and_1_are_no_probabilities_on_request(tmp_path):
    path = written(tmp_path, people(300))
    found = file_to_contingency(path, Columns(**{**PLAIN.__dict__, "probabilities": False}))
    assert not found.probabilities
    assert file_to_contingency(path, PLAIN).probabilities


def test_a_threshold_is_moved_to_the_edge_of_a_bin_of_any_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(score_bins, "EXACT", 1)
    monkeypatch.setattr(score_bins, "RANKS", 10)
    table = people(1000).assign(p=np.arange(1000) - 500.0)
    found = file_to_contingency(written(tmp_path, table), PLAIN)
    assert decide(found, -100.0).decided.sum() > 0
    own = decide(found, -100.0)
    assert own.n[own.decided == 1].sum() == (table["p"] >= -100).sum()
    with pytest.raises(MetricError) as error:
        decide(found, -97.0)
    assert str(error.value) == (
        "counts: threshold must be the edge of a bin, as the scores are in bins, got -97; the "
        "nearest edge is -99.99999999999999"
    )


@pytest.mark.parametrize("extra", [{}, {"weight": "w"}, {"entity": "who"}, {"threshold": 0.3}])
def test_without_labels_decisions_are_counted_and_nothing_else(tmp_path, extra):
    table = people(800)
    columns = Columns(**{**PLAIN.__dict__, **extra})
    path = written(tmp_path, table)
    known = file_to_contingency(path, columns)
    found = file_to_contingency(path, Columns(**{**columns.__dict__, "label": None}))
    assert (known.labelled, found.labelled) == (True, False)
    one, other = (
        statistics_to_rates(contingency_to_statistics(c, max_order=2), confidence=0.95)
        for c in (known, found)
    )
    assert set(other["metric"]) == {names.SELECTION_RATE}
    pd.testing.assert_frame_equal(
        one[one["metric"] == names.SELECTION_RATE].reset_index(drop=True), other
    )


def test_three_decisions_without_labels_are_named(tmp_path):
    path = written(tmp_path, people(50).assign(yhat=lambda t: t["race"]))
    with pytest.raises(DataError) as error:
        file_to_contingency(path, Columns(**{**PLAIN.__dict__, "label": None}))
    assert str(error.value) == f"audit: decision must have two values, got 3: A, B, C; {MANY}"


def test_weights_must_not_be_negative(tmp_path):
    table = people(50).assign(w=-1.0)
    with pytest.raises(DataError) as error:
        file_to_contingency(written(tmp_path, table), Columns(**{**PLAIN.__dict__, "weight": "w"}))
    assert str(error.value) == "audit: weight 'w' must be >= 0, got -1"


def test_files_that_are_none_are_named(tmp_path):
    with pytest.raises(DataError, match="audit: file must exist, got none at"):
        file_to_contingency(tmp_path / "none.csv", PLAIN)
    empty = tmp_path / "empty.csv"
    empty.touch()
    with pytest.raises(DataError) as error:
        file_to_contingency(empty, PLAIN)
    assert str(error.value) == "audit: empty.csv must have rows, got an empty file"
    text = tmp_path / "text.parquet"
    text.write_text("no Parquet")
    with pytest.raises(
        DataError, match=r"audit: text\.parquet must be a readable parquet file, got"
    ):
        file_to_contingency(text, PLAIN)
    other = tmp_path / "table.xlsx"
    other.write_text("x")
    with pytest.raises(DataError) as error:
        file_to_contingency(other, PLAIN)
    assert str(error.value) == (
        "audit: file must be CSV or Parquet, got table.xlsx; open it and save the sheet as CSV "
        "(UTF-8)"
    )


def test_columns_called_like_sql_are_columns(tmp_path):
    table = people(100).rename(columns={"sex": 'a"; DROP TABLE cells; --', "race": "n"})
    columns = Columns(label="y", attributes=('a"; DROP TABLE cells; --', "n"), decision="yhat")
    found = file_to_contingency(written(tmp_path, table), columns)
    assert found.total == 100
    assert [len(values) for values in found.values] == [2, 3]


@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_not_a_number_is_a_missing_value_and_the_text_nan_is_a_text(tmp_path, kind):
    """As polars, DuckDB and R write it: pandas would have written null."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    n, path = 600, tmp_path / "decisions.parquet"
    band = np.tile([1.0, 2.0, np.nan], n // 3).astype(kind)
    columns = {
        "band": pa.array(band, from_pandas=False),
        "language": pa.array(np.tile(["nan", "zh"], n // 2)),  # Min Nan Chinese is "nan"
        "y": pa.array(np.tile([0, 1], n // 2)),
        "yhat": pa.array(np.tile([0, 0, 1], n // 3)),
    }
    pq.write_table(pa.table(columns), path)
    assert pq.read_table(path).column("band").null_count == 0
    found = file_to_contingency(path, Columns("y", ("band", "language"), "yhat"))
    assert found.values == (("1", "2", names.UNKNOWN), ("nan", "zh"))
    assert found.n[found.codes[:, 0] == 2].sum() == n // 3


@pytest.mark.parametrize("role", ["y", "yhat"])
def test_a_label_or_decision_that_is_not_a_number_is_refused(tmp_path, role):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path, values = tmp_path / "decisions.parquet", {"y": [0.0, 1.0], "yhat": [0.0, 1.0]}
    values[role] = [0.0, np.nan]
    arrays = {name: pa.array(np.array(own), from_pandas=False) for name, own in values.items()}
    pq.write_table(pa.table({**arrays, "sex": pa.array(["f", "m"])}), path)
    with pytest.raises(DataError) as error:
        file_to_contingency(path, Columns("y", ("sex",), "yhat"))
    known = {"y": "label", "yhat": "decision"}[role]
    assert str(error.value) == (
        f"audit: {known} must be known in every row of decisions.parquet, got 1 rows without; "
        "leave them out, or count them as an attribute"
    )


@pytest.mark.parametrize("name", ["overall", "sex×race"])
def test_an_attribute_of_a_reserved_name_is_refused(tmp_path, name):
    path = written(tmp_path, people(60).rename(columns={"sex": name}))
    with pytest.raises(DataError, match="an attribute must not be named"):
        file_to_contingency(path, Columns(label="y", attributes=(name,), decision="yhat"))


def csv_of(folder, text, name="decisions.csv", encoding="utf-8"):
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


def test_rows_that_begin_with_a_hash_count(tmp_path):
    """A sniffer takes them for comments: 4 of 5 rows were left out."""
    path = csv_of(tmp_path, "age,sex,y,yhat\n" + "#N/A,f,1,1\n" * 4 + "30,m,0,1\n")
    assert file_to_contingency(path, Columns("y", ("sex",), "yhat")).total == 5


def test_a_quote_after_forty_thousand_rows_is_a_quote(tmp_path):
    path = csv_of(
        tmp_path, "race,y,yhat\n" + "Black,1,1\n" * 40_001 + '"Black",0,0\n"Other, mixed",0,1\n'
    )
    found = file_to_contingency(path, Columns("y", ("race",), "yhat"))
    assert found.total == 40_003
    assert found.values == (("Black", "Other, mixed"),)


def test_names_that_differ_by_capitals_are_two_columns(tmp_path):
    table = people(40).assign(Sex="x")
    for form in ("csv", "parquet"):
        path = written(tmp_path, table, form)
        found = file_to_contingency(path, Columns("y", ("Sex", "sex"), "yhat"))
        assert found.values == (("x",), ("Female", "Male"))


def test_a_column_of_a_repeated_name_is_refused(tmp_path):
    path = csv_of(tmp_path, "sex,y,yhat,sex\nf,1,1,m\n")
    with pytest.raises(DataError) as error:
        file_to_contingency(path, Columns("y", ("sex",), "yhat"))
    assert str(error.value) == (
        "audit: columns of decisions.csv must have different names, got 'sex' in columns 1, 4; "
        "rename them"
    )


def test_a_dialect_is_declared(tmp_path):
    text = "wörd\n1;y;yhat;p;w\nä;1;1;0,75;1.234,5\nb;0;1;0,25;2\n".replace("wörd\n1", '"wörd\n1"')
    dialect = Dialect(";", "latin-1", ",", ".")
    found = file_to_contingency(
        csv_of(tmp_path, text, encoding="latin-1"),
        Columns("y", ("wörd\n1",), "yhat", "p", "w"), dialect=dialect,
    )  # fmt: skip
    assert found.values == (("b", "ä"),)
    assert sorted(found.weight) == [2.0, 1234.5]
    assert sorted(found.edges) == [0.25, 0.75]


def test_a_score_that_is_no_number_is_named_with_its_row(tmp_path):
    path = csv_of(tmp_path, "sex,y,p\nf,1,0.5\nm,0,1.23.4\n")
    with pytest.raises(DataError) as error:
        file_to_contingency(path, Columns("y", ("sex",), score="p", threshold=0.5))
    assert str(error.value) == (
        "audit: column 'p' must be a number in every row, got '1.23.4' in row 2; correct it, or "
        "declare the decimal and thousands signs"
    )


def test_every_way_of_parquet_to_hold_text_is_text(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = [
        pa.string_view(),
        pa.large_string(),
        pa.binary(),
        pa.dictionary(pa.int8(), pa.string()),
    ]
    for kind in kinds:
        group = pa.array(["f", "m", "f"]).cast(kind)
        label = pa.array([True, False, True])
        pq.write_table(pa.table({"sex": group, "y": label, "yhat": label}), tmp_path / "t.PQ")
        found = file_to_contingency(tmp_path / "t.PQ", Columns("y", ("sex",), "yhat"))
        assert (found.values, found.total) == ((("f", "m"),), 3)
    nested = pa.table({"sex": [["f"]], "y": [1], "yhat": [1], "unused": [{"a": 1}]})
    pq.write_table(nested, tmp_path / "t.PQ")
    with pytest.raises(DataError, match="column 'sex' must hold numbers, text or dates, got list"):
        file_to_contingency(tmp_path / "t.PQ", Columns("y", ("sex",), "yhat"))


@pytest.mark.parametrize("name", ["*", "?", "[ab]", "race=C/a", "a'b", "a b%20#"])
@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_name_of_a_file_is_no_pattern_and_a_folder_no_column(tmp_path, name, form):
    """DuckDB reads other files for such names (duckdb issue 4699), and columns from folders."""
    (tmp_path / "race=C").mkdir()
    for other in ("a", "b"):
        path = written(tmp_path, people(50), form)
        path.rename(path.with_name(f"{other}.{form}"))
    path = tmp_path / f"{name}.{form}"
    written(tmp_path, people(30).assign(race="A"), form).rename(path)
    found = file_to_contingency(path, PLAIN)
    assert found.n.sum() == 30
    assert found.values[found.attributes.index("race")] == ("A",)
