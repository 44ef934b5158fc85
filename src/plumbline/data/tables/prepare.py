"""Preparation of a table: of scikit-learn, public or the user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plumbline import names
from plumbline.artifacts import DatasetSchema
from plumbline.data.base.prepared import Prepared, PreparedData
from plumbline.data.base.sources import SOURCES
from plumbline.data.base.splits import assign_splits, tertile_groups
from plumbline.data.tables.declared import DeclaredTable
from plumbline.data.tables.encoding import encoding_of, numeric_encoder
from plumbline.data.tables.public_tables import PUBLIC_TABLES, read_public_table
from plumbline.data.tables.user_table import read_user_table
from plumbline.errors import DataError
from plumbline.params.data import TabularData
from plumbline.table_files import Dialect

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RawTable:
    """A source before splitting.

    Attributes
    ----------
    features : DataFrame
        Numeric columns, one row per sample.
    target : array, (N,)
        A number (regression) or a class code.
    classes : tuple of str
        Names of the class codes; empty where the target is a number.
    groups : DataFrame
        String columns known for each sample: attributes that do not depend on the split.
    size_feature : str
        A feature whose tertiles in the training split become the attribute ``size``; or empty.
    about : dict
    columns : mapping of str to str
        Column of the source by feature, where it has another name.
    """

    features: pd.DataFrame
    target: Any
    classes: tuple[str, ...]
    groups: pd.DataFrame
    size_feature: str
    about: dict[str, Any]
    columns: Mapping[str, str] = field(default_factory=dict)


def prepare(parameters: TabularData, *, seed: int, root: Path = Path()) -> Prepared:
    """Prepare the table that the parameters name.

    Parameters
    ----------
    parameters : TabularData
    seed : int
        Unused: splits are a function of the sample ids alone.
    root : Path
        Root of the repository: raw files and the user's files are below it.

    Raises
    ------
    DataError
        If the target does not exist in the source, a feature is not finite, or a class or group
        is missing from a split; of a `DeclaredTable` when it is written.
    """
    if parameters.source in PUBLIC_TABLES:
        _check_target(("label",), parameters)
        return DeclaredTable(lambda _: read_public_table(parameters.source, root), parameters)
    if parameters.source == "csv":
        return DeclaredTable(lambda scratch: read_user_table(parameters, scratch, root), parameters)
    return table_from_raw(_LOADERS[parameters.source](), parameters=parameters)


def table_from_raw(raw: RawTable, *, parameters: TabularData) -> PreparedData:
    """Split a raw table, set its target and its groups; see `prepare`."""
    import pandas as pd

    _check_target(("label",) if raw.classes else ("above_median", "value"), parameters)
    features = raw.features
    ids = [f"{parameters.source}-{row:04d}" for row in range(len(features))]
    # Stratify by the overall median: the class needs the median of the training split.
    split_class = raw.target if raw.classes else raw.target > np.median(raw.target)
    groups = [raw.groups[column] for column in raw.groups]
    # Rows with equal features, as iris has two, are one entity: they share a split.
    rows = pd.util.hash_pandas_object(features, index=False).to_numpy()
    splits = assign_splits(
        ids,
        entities=pd.Series(ids).groupby(rows).transform("min").tolist(),
        strata=list(zip(split_class, *groups, strict=True)),
        val_fraction=parameters.val_fraction,
        test_fraction=parameters.test_fraction,
        salt=parameters.source,
    )
    train = splits == names.TRAIN
    y, classes, cut = _target(raw, parameters.target, train)
    attributes, notes = raw.groups.copy(), dict(raw.about["attributes"])
    if raw.size_feature:
        attributes["size"], bounds = tertile_groups(
            features[raw.size_feature], train, ("small", "medium", "large")
        )
        notes["size"] = (
            f"Made from the measured feature {raw.size_feature!r}, no property of a person: "
            f"{bounds}"
        )
    table = pd.DataFrame({"sample_id": ids, "split": splits, "y": y})
    if not parameters.attributes_as_features:
        hidden = [column for columns in raw.about["measured_from"].values() for column in columns]
        features = features.drop(columns=hidden)
    about = {**raw.about, "attributes": notes, **({"median": cut} if cut is not None else {})}
    about["attributes_as_features"] = parameters.attributes_as_features
    about["attribute_features"] = {
        name: list(columns)
        for name, columns in raw.about["measured_from"].items()
        if parameters.attributes_as_features
    }
    schema = DatasetSchema(
        dataset=names.TABULAR,
        source=parameters.source,
        task={0: "regression", 2: "binary"}.get(len(classes), "multiclass"),
        classes=classes,
        attributes=tuple(str(name) for name in attributes.columns),
        features=tuple(str(name) for name in features.columns),
        about=about,
    )
    table = pd.concat([table, features.reset_index(drop=True), attributes], axis=1)
    encoders = [
        numeric_encoder(raw.columns.get(name, name), name, features.loc[train, name].to_numpy())
        for name in schema.features
    ]
    encoding = encoding_of(encoders, rules=None, dialect=Dialect())
    return PreparedData(schema=schema, table=table, encoding=encoding)


def _check_target(known: tuple[str, ...], parameters: TabularData) -> None:
    if parameters.target not in known:
        raise DataError(
            f"data_tabular: target of source {parameters.source!r} must be one of "
            f"{', '.join(known)}, got {parameters.target!r}"
        )


def _target(raw: RawTable, target: str, train: Any) -> tuple[Any, tuple[str, ...], float | None]:
    if raw.classes:
        return np.asarray(raw.target, dtype=np.int64), raw.classes, None
    if target == "value":
        return np.asarray(raw.target, dtype=np.float64), (), None
    cut = float(np.median(raw.target[train]))
    return (raw.target > cut).astype(np.int64), ("below_median", "above_median"), cut


def _diabetes() -> RawTable:
    import pandas as pd
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(as_frame=True, scaled=False)
    bands = pd.cut(bunch.data["age"], [-np.inf, 40, 55, np.inf], right=False)
    groups = pd.DataFrame(
        {
            "sex": [f"code {int(code)}" for code in bunch.data["sex"]],
            "age_band": bands.cat.rename_categories(["under 40", "40-54", "55+"]).astype(str),
        }
    )
    about = {
        **SOURCES["diabetes"].about(),
        "measured_from": {"sex": ["sex_code"], "age_band": ["age"]},
    }
    # The groups take the name sex; as a feature it keeps the number of the file.
    features = bunch.data.rename(columns={"sex": "sex_code"})
    target = bunch.target.to_numpy()
    return RawTable(features, target, (), groups, "", about, {"sex_code": "sex"})


def _breast_cancer() -> RawTable:
    raw = _labelled("breast_cancer", "mean smoothness")
    # The second class is the positive one: the finding that a test looks for.
    return replace(raw, target=1 - raw.target, classes=raw.classes[::-1])


def _labelled(source: str, size_feature: str) -> RawTable:
    import pandas as pd
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{source}")(as_frame=True)
    classes = tuple(str(name) for name in bunch.target_names)
    groups = pd.DataFrame(index=bunch.data.index)
    about = {**SOURCES[source].about(), "measured_from": {}}
    return RawTable(bunch.data, bunch.target.to_numpy(), classes, groups, size_feature, about)


_LOADERS: dict[str, Callable[[], RawTable]] = {
    "diabetes": _diabetes,
    "iris": lambda: _labelled("iris", "sepal width (cm)"),
    "breast_cancer": _breast_cancer,
}
