"""A column is a number if every value is one and means no more; what looks like one is told."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plumbline.data.tables.csv_files import stage_table
from plumbline.errors import DataError
from plumbline.table_files import Dialect

MISSING = ("", "NA")


def typed(folder, values, dialect=None, **types):
    """Return the type and the values of a column ``v``."""
    path, staged = folder / "t.csv", folder / "typed.parquet"
    quoted = ('"' + value.replace('"', '""') + '"' for value in values)
    path.write_text("v;w\n" + "".join(f"{value};1\n" for value in quoted), encoding="utf-8")
    kinds = stage_table(
        path, staged, where="csv", types=types, text_columns=(), needed=(), wanted=("v",),
        dialect=dialect or Dialect(missing=MISSING),
    )  # fmt: skip
    return kinds["v"], pq.read_table(staged)["v"].to_pylist()


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (["0", "0.5", "-0.5", "NA"], [0, 0.5, -0.5, None]),
        (["1", " 2 ", "+3", ".5", "5.", "1e5", "1E-5"], [1, 2, 3, 0.5, 5, 1e5, 1e-5]),
        (["0e5", "-0", "nan", "NaN"], [0, 0, None, None]),
        (["inf", "-Infinity"], [float("inf"), float("-inf")]),
        (["9007199254740992", "9007199254740994"], [2.0**53, 2.0**53 + 2]),
    ],
)
def test_numbers(tmp_path, values, numbers):
    assert typed(tmp_path, values) == ("numeric", numbers)


@pytest.mark.parametrize(
    "values",
    [
        ["01067", "10115"],
        ["1", "-007"],
        ["00.5"],
        ["9007199254740992", "9007199254740993"],
        ["123456789012345678901"],
        ["1_0"],
        ["0x10"],
        ["1,200"],
        ["1\u00a0200"],
        ["\u0663"],  # an Arabic digit
        ["1", "x"],
        ["45 %"],
        ["1e5x"],
        ["1d5"],
    ],
)
def test_texts(tmp_path, values):
    assert typed(tmp_path, values) == ("categorical", values)


def test_a_late_code_makes_all_of_them_text(tmp_path):
    values = [str(n) for n in range(1, 70_000)] + ["0123"]
    assert typed(tmp_path, values) == ("categorical", values)


def test_years_before_dates_are_no_dates(tmp_path):
    values = ["2020", "2021-01-01"]
    assert typed(tmp_path, values)[0] == "categorical"
    assert typed(tmp_path, ["2020-01-01", "2021-01-01 10:00"])[0] == "date"


@pytest.mark.parametrize(
    ("thousands", "decimal", "values", "numbers"),
    [
        (",", ".", ["1,200", "1200", "-1,234,567.5"], [1200, 1200, -1234567.5]),
        (".", ",", ["1.234,5", "0,5", "1.000"], [1234.5, 0.5, 1000]),
        ("'", ".", ["1'000.5"], [1000.5]),
        ("\u00a0", ",", ["1\u00a0000,5"], [1000.5]),
        (None, ",", ["1,5", "2"], [1.5, 2]),
    ],
)
def test_signs_of_numbers_are_declared(tmp_path, thousands, decimal, values, numbers):
    dialect = Dialect(missing=MISSING, thousands=thousands, decimal=decimal)
    assert typed(tmp_path, values, dialect) == ("numeric", numbers)


@pytest.mark.parametrize(
    "value", ["1.23.4", "12.34", "0.500", "1234.567", ".123", "1.234.56", "1,5.000"]
)
def test_a_wrong_grouping_is_no_number(tmp_path, value):
    dialect = Dialect(missing=MISSING, thousands=".", decimal=",")
    assert typed(tmp_path, ["1.000", value], dialect)[0] == "categorical"
    with pytest.raises(DataError) as error:
        typed(tmp_path, ["1.000", value], dialect, v="numeric")
    assert str(error.value) == f"csv: column 'v' must be numeric as declared, got: {value!r}"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["1,200", "1,300", "x"], "2 of its 3 values look like numbers with a comma between "
         "thousands, such as '1,200'; set thousands to ','"),
        (["1.200,5"], "1 of its 1 values look like numbers with a point between thousands, such as "
         "'1.200,5'; set thousands to '.' and decimal to ','"),
        (["1 200"], "1 of its 1 values look like numbers with a sign between thousands, such as "
         "'1 200'; set thousands to that sign"),
        (["1,5", "2,5"], "2 of its 2 values look like numbers with a decimal comma, such as '1,5'; "
         "set decimal to ','"),
        (["45 %", "5%"], "2 of its 2 values look like percentages, such as '45 %'; write them "
         "without the sign %"),
        (["$45", "-€ 1,200.50"], "2 of its 2 values look like amounts of money, such as '$45'; "
         "write them without the sign of the currency"),
        (["03/15/2024", "15.03.24"], "2 of its 2 values look like dates, such as '03/15/2024'; "
         "write them as YYYY-MM-DD"),
        (["2024-01-01T00:00:00Z", "2024-01-01 02:00+02:00"], "2 of its 2 values look like times "
         "with a zone, such as '2024-01-01T00:00:00Z'; write them in one zone, without its sign"),
        (["01067", "10115"], "1 of its 2 values look like codes with leading zeros, such as "
         "'01067'; declare it numeric in types if it is one"),
        (["01067", "10115", "80331", "80331"], "1 of its 4 values look like codes with leading "
         "zeros, such as '01067'; declare it numeric in types if it is one"),
        (["1", "2", "9007199254740993"], "1 of its 3 values look like whole numbers that are too "
         "long for one, such as '9007199254740993'; declare it numeric in types if it is one"),
        (["00.5", "1.5", "2.5"], "1 of its 3 values look like codes with leading zeros, such as "
         "'00.5'; declare it numeric in types if it is one"),
        (["9007199254740993"], "1 of its 1 values look like whole numbers that are too long for "
         "one, such as '9007199254740993'; declare it numeric in types if it is one"),
        (["1", "2", "n/a"], "2 of its 3 values look like numbers, such as '1'; declare it "
         "numeric in types if it is one, and other values in missing_values"),
        (["2024-01-31", "none"], "1 of its 2 values look like dates, such as '2024-01-31'; declare "
         "it date in types if it is one, and other values in missing_values"),
    ],
)  # fmt: skip
def test_a_category_that_looks_like_something_else_is_told(tmp_path, caplog, values, told):
    assert typed(tmp_path, values)[0] == "categorical"
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert warnings == [f"csv: column 'v' was read as a category: {told}"]


@pytest.mark.parametrize("values", [["a", "b", "1"], ["1,2,3", "3-5"], ["10-20", "20-30"]])
def test_a_category_is_not_told(tmp_path, caplog, values):
    assert typed(tmp_path, values)[0] == "categorical"
    assert [r for r in caplog.records if r.levelname == "WARNING"] == []


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pa.array(["1", "2"]), "categorical"),
        (pa.array(["a", None]).cast(pa.string_view()), "categorical"),
        (pa.array(["a", None]).dictionary_encode(), "categorical"),
        (pa.array([1, 2]).dictionary_encode(), "numeric"),
        (pa.array([True, None]), "numeric"),
        (pa.array([1, 2]).cast(pa.decimal128(30, 2)), "numeric"),
        (pa.array([1, 2], pa.int32()).cast(pa.date32()), "date"),
    ],
)
def test_types_of_parquet_are_kept(tmp_path, column, kind):
    pq.write_table(pa.table({"v": column}), tmp_path / "t.pq")
    kinds = stage_table(
        tmp_path / "t.pq", tmp_path / "typed.parquet", where="csv", types={}, text_columns=(),
        needed=(), wanted=None, dialect=Dialect(),
    )  # fmt: skip
    assert kinds == {"v": kind}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["1", "2"], "2 of its 2 values look like numbers, such as '1'; declare it numeric"),
        (
            ["01", "2"],
            "1 of its 2 values look like codes with leading zeros, such as '01'; declare",
        ),
        (
            ["2024-01-31"],
            "1 of its 1 values look like dates, such as '2024-01-31'; declare it date",
        ),
    ],
)
def test_text_of_parquet_stays_text_and_is_told_if_it_looks_like_another_type(
    tmp_path, caplog, values, told
):
    pq.write_table(pa.table({"v": values}), tmp_path / "t.pq")
    kinds = stage_table(
        tmp_path / "t.pq", tmp_path / "typed.parquet", where="csv", types={}, text_columns=(),
        needed=(), wanted=None, dialect=Dialect(),
    )  # fmt: skip
    assert kinds == {"v": "categorical"}
    (warning,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert warning.startswith(f"csv: column 'v' was read as a category: {told}")


def test_nan_of_parquet_is_missing_in_a_column_of_labels_or_groups_too(tmp_path):
    """It was a class or a group of the name nan."""
    column = pa.array([1.5, float("nan"), None])
    pq.write_table(pa.table({"v": column, "w": column}), tmp_path / "t.pq")
    stage_table(
        tmp_path / "t.pq", tmp_path / "typed.parquet", where="csv", types={}, text_columns=["v"],
        needed=(), wanted=None, dialect=Dialect(),
    )  # fmt: skip
    typed_columns = pq.read_table(tmp_path / "typed.parquet").to_pydict()
    assert typed_columns == {"v": ["1.5", None, None], "w": [1.5, None, None]}


def test_a_time_beyond_microseconds_is_refused_and_becomes_no_other_date(tmp_path):
    pq.write_table(pa.table({"v": pa.array([2**44], pa.timestamp("s"))}), tmp_path / "t.pq")
    with pytest.raises(DataError) as error:
        stage_table(
            tmp_path / "t.pq", tmp_path / "s", where="csv", types={}, text_columns=(), needed=(),
            wanted=None, dialect=Dialect(),
        )  # fmt: skip
    assert str(error.value).startswith("csv: column 'v' must be date as declared, got: Casting")


def test_nested_columns_of_parquet_are_refused_if_they_are_used(tmp_path):
    pq.write_table(pa.table({"v": [[1]], "w": [1]}), tmp_path / "t.pq")
    settings = {
        "where": "csv", "types": {}, "text_columns": (), "needed": (), "dialect": Dialect()
    }  # fmt: skip
    assert stage_table(tmp_path / "t.pq", tmp_path / "s", wanted=["w"], **settings)
    with pytest.raises(DataError) as error:
        stage_table(tmp_path / "t.pq", tmp_path / "s", wanted=None, **settings)
    assert str(error.value) == (
        "csv: column 'v' must hold numbers, text or dates, got list<element: int64>; write it as "
        "columns of its own, or leave it out"
    )
