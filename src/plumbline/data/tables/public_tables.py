"""Well-known public tables: where their files are odd and what their columns mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline import names
from plumbline.data.base.sources import SOURCES, raw_folder
from plumbline.data.tables.csv_files import CATEGORY, NUMBER
from plumbline.data.tables.declaration import Declaration
from plumbline.errors import DataError
from plumbline.table_files import Dialect

if TYPE_CHECKING:
    import pandas as pd

PUBLIC_DIALECT = Dialect(missing=("", "?"))
OFFICIAL = "official"  # the column that marks the rows of an official test set

_ADULT_NUMBERS = ("age", "education-num", "capital-gain", "capital-loss", "hours-per-week")
_ADULT = (
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation",
    "relationship", "race", "sex", "capital-gain", "capital-loss", "hours-per-week",
    "native-country", "income",
)  # fmt: skip
_GERMAN = (
    "checking_account", "duration", "credit_history", "purpose", "credit_amount", "savings",
    "employment", "installment_rate", "personal_status", "other_debtors", "residence_since",
    "property", "age", "other_installment_plans", "housing", "existing_credits", "job",
    "people_liable", "telephone", "foreign_worker", "risk",
)  # fmt: skip
_GERMAN_NUMBERS = (
    "duration", "credit_amount", "installment_rate", "residence_since", "age",
    "existing_credits", "people_liable",
)  # fmt: skip
_GERMAN_SEX = {
    "A91": "male", "A92": "female", "A93": "male", "A94": "male", "A95": "female",
}  # fmt: skip
_COMPAS = (
    "id", "sex", "age", "race", "juv_fel_count", "juv_misd_count", "juv_other_count",
    "priors_count", "c_charge_degree", "two_year_recid",
)  # fmt: skip
_COMPAS_NUMBERS = (
    "age", "juv_fel_count", "juv_misd_count", "juv_other_count", "priors_count",
)  # fmt: skip
_CREDIT_CODES = {
    "SEX": {"1": "male", "2": "female"},
    "EDUCATION": {
        "1": "graduate school", "2": "university", "3": "high school",
        **dict.fromkeys("0456", "other or unknown"),
    },
    "MARRIAGE": {"1": "married", "2": "single", "0": "other", "3": "other"},
}  # fmt: skip


def read_public_table(source: str, root: Path = Path()) -> tuple[Any, Declaration]:
    """Return a public table as an Arrow dataset, and its declaration.

    Raises
    ------
    DataError
        If a raw file does not have the columns it is known to have.
    """
    import pyarrow as pa
    import pyarrow.dataset as ds

    table, declaration = _READERS[source](raw_folder(source, root))
    types = {NUMBER: pa.float64(), CATEGORY: pa.string()}
    columns = {
        name: pa.array(table[name], type=types[kind], from_pandas=True)
        for name, kind in declaration.kinds.items()
    }
    return ds.dataset(pa.table(columns)), declaration


def _adult(folder: Path) -> tuple[pd.DataFrame, Declaration]:
    import pandas as pd

    parts = {
        # The test file opens with a line that is no row, and ends its labels with a full stop.
        split: _read(folder / file, "adult", names=list(_ADULT), skiprows=skip)
        for split, file, skip in ((names.TRAIN, "adult.data", 0), (names.TEST, "adult.test", 1))
    }
    table = pd.concat([part.assign(**{OFFICIAL: split}) for split, part in parts.items()])
    table = table.reset_index(drop=True)
    table["income"] = table["income"].str.rstrip(".")
    numbers = (*_ADULT_NUMBERS, "fnlwgt")
    for column in numbers:
        table[column] = pd.to_numeric(table[column])
    return table, _declare(
        "adult",
        table,
        numbers=numbers,
        target="income",
        positive=">50K",
        attributes={"sex": (), "race": (), "age": (30, 45, 60)},
        left_out=("fnlwgt",),
        official=OFFICIAL,
    )


def _german_credit(folder: Path) -> tuple[pd.DataFrame, Declaration]:
    import pandas as pd

    table = _read(folder / "german.data", "german_credit", names=list(_GERMAN), sep=" ")
    for column in _GERMAN_NUMBERS:
        table[column] = pd.to_numeric(table[column])
    # The file has sex and marital status in one code; A95 does not occur.
    table["sex"] = table["personal_status"].map(_GERMAN_SEX)
    return table, _declare(
        "german_credit",
        table,
        numbers=_GERMAN_NUMBERS,
        target="risk",
        labels={"1": "good", "2": "bad"},
        positive="good",
        attributes={"sex": (), "age": (25, 35, 50)},
        left_out=("personal_status",),
    )


def _compas(folder: Path) -> tuple[pd.DataFrame, Declaration]:
    import pandas as pd

    whole = folder / "compas-scores-two-years.csv"
    path = whole if whole.is_file() else folder / "compas_no_identities.csv"
    # Only these columns are ever read: names and dates of birth stay in the file.
    table = _read(path, "compas", header=0, usecols=list(_COMPAS))
    for column in _COMPAS_NUMBERS:
        table[column] = pd.to_numeric(table[column])
    return table, _declare(
        "compas",
        table,
        numbers=_COMPAS_NUMBERS,
        target="two_year_recid",
        # The favourable outcome is the one without a new charge, code 0 of the file.
        labels={"0": "no new charge", "1": "new charge"},
        positive="no new charge",
        attributes={"race": (), "sex": (), "age": (25, 45)},
        left_out=("id",),
        entity="id",
    )


def _credit_default(folder: Path) -> tuple[pd.DataFrame, Declaration]:
    import pandas as pd

    table = _read(folder / "credit-card-clients.csv", "credit_default", header=0)
    numbers = tuple(c for c in table.columns if c not in (*_CREDIT_CODES, "default payment"))
    for column in numbers:
        table[column] = pd.to_numeric(table[column])
    for column, meaning in _CREDIT_CODES.items():
        table[column] = table[column].map(meaning)
    return table, _declare(
        "credit_default",
        table,
        numbers=numbers,
        target="default payment",
        labels={"0": "paid", "1": "default"},
        positive="paid",
        attributes={"SEX": (), "EDUCATION": (), "MARRIAGE": (), "AGE": (30, 45)},
    )


def _read(path: Path, source: str, **options: Any) -> pd.DataFrame:
    import pandas as pd

    settings: dict[str, Any] = {"header": None, "sep": ",", **options}
    try:
        table: pd.DataFrame = pd.read_csv(
            path,
            dtype=str,
            skipinitialspace=True,
            na_values=["?"],
            keep_default_na=False,
            **settings,
        )
    except (ValueError, OSError) as error:
        raise DataError(
            f"{source}: {path.name} must have its known columns, got: {error}"
        ) from error
    return table


def _declare(
    source: str,
    table: pd.DataFrame,
    *,
    numbers: tuple[str, ...],
    target: str,
    attributes: Mapping[str, tuple[float, ...]],
    left_out: tuple[str, ...] = (),
    **rest: Any,
) -> Declaration:
    columns = [str(name) for name in table.columns]
    return Declaration(
        source=source,
        target=target,
        kinds={name: NUMBER if name in numbers else CATEGORY for name in columns},
        features=tuple(c for c in columns if c not in (target, OFFICIAL, *left_out)),
        attributes=attributes,
        about=SOURCES[source].about(),
        **rest,
    )


_READERS: dict[str, Callable[[Path], tuple[pd.DataFrame, Declaration]]] = {
    "adult": _adult,
    "german_credit": _german_credit,
    "compas": _compas,
    "credit_default": _credit_default,
}
PUBLIC_TABLES = tuple(_READERS)
