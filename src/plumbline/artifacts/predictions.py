"""The predictions table: the interface between models and their evaluation."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline import names
from plumbline.artifacts.decisions import Decision, decide
from plumbline.artifacts.files import read_table, write_table
from plumbline.artifacts.prepared import check_design
from plumbline.errors import ArtifactError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd


@dataclass(frozen=True)
class Predictions:
    """Predictions of a model on held-out samples, from which all metrics are computed.

    Columns by kind, one row per sample; ``split`` is mostly ``test``, ``val`` where both are kept:

    classification
        ``sample_id, split, y_true, y_pred`` (class codes), ``score_<class>`` (probabilities that
        sum to 1), attributes.
    regression
        ``sample_id, split, y_true, y_pred`` (floats), attributes.
    language
        one row per block of one document: ``sample_id, split, document_id``,
        ``nll`` (nats, summed over the block), ``characters`` (int), attributes. Where they are
        known ``containment`` (the share of the document's runs of five words that stand in training
        documents) and ``nll_mixture`` (nats under the mixture with the n-gram baseline).
    generator
        one row per image: ``sample_id, split``, ``y_true``, ``y_pred`` (class recognised by
        the extractor), ``score_<class>``, ``feature_<i>`` (the extractor's features, i = 0, 1, …),
        attributes as measured on the image. Rows of split ``test`` are generated samples, their
        ``y_true`` the requested class; rows of split ``reference`` are the real images they are
        compared with, their ``y_true`` the true class. Both are measured in the same way.

    Classification and regression also have ``entity`` and ``sample_weight`` where the prepared
    table has them (`passthrough_columns`).

    Attributes
    ----------
    table : DataFrame
    model, kind, dataset, source : str
    classes : tuple of str
    positive : str or None
        The class whose prediction counts as selection; set for binary tasks only.
    attributes : tuple of str
    decision : Decision or None
        The threshold that decides; None: ``y_pred`` is the most probable class, or follows from no
        rule of one threshold.
    """

    table: pd.DataFrame
    model: str
    kind: str
    dataset: str
    source: str
    classes: tuple[str, ...]
    positive: str | None
    attributes: tuple[str, ...]
    decision: Decision | None = None

    def columns(self) -> list[str]:
        """Return the columns the table must have, in order."""
        scores = [f"score_{name}" for name in self.classes]
        by_kind = {
            names.CLASSIFICATION: ["y_true", "y_pred", *scores],
            names.REGRESSION: ["y_true", "y_pred"],
            names.LANGUAGE: ["document_id", "nll", "characters", *self._known_of_text()],
            names.GENERATOR: ["y_true", "y_pred", *scores, *self._feature_columns()],
        }
        design = [column for column in (names.ENTITY, names.WEIGHT) if column in self.table.columns]
        return ["sample_id", "split", *design, *by_kind[self.kind], *self.attributes]

    def weights(self, rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64] | None:
        """Return the sample weights of the chosen rows, None if the table has none."""
        if names.WEIGHT not in self.table.columns:
            return None
        return self.table.loc[rows, names.WEIGHT].to_numpy(dtype="float64")

    def entities(self, rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.object_] | None:
        """Return the entity of each of the chosen rows, None if no entity has two of them."""
        if names.ENTITY not in self.table.columns:
            return None
        found = self.table.loc[rows, names.ENTITY]
        return found.to_numpy(dtype=object) if found.duplicated().any() else None

    def scores(self) -> npt.NDArray[np.float64]:
        """Return the class probabilities, ``(N, K)``."""
        columns = [f"score_{name}" for name in self.classes]
        return self.table[columns].to_numpy(dtype="float64")

    def features(self) -> npt.NDArray[np.float64]:
        """Return the extractor's features of a generator's table, ``(N, F)``."""
        return self.table[self._feature_columns()].to_numpy(dtype="float64")

    def variants(self) -> list[Predictions]:
        """Return these predictions and, of a network of text, those of its mixture."""
        if names.MIXTURE_NLL not in self.table.columns:
            return [self]
        mixed = self.table.assign(nll=self.table[names.MIXTURE_NLL])
        mixed = mixed.drop(columns=names.MIXTURE_NLL)
        return [self, replace(self, table=mixed, model=names.mixture(self.model))]

    def _known_of_text(self) -> list[str]:
        return [c for c in (names.CONTAINMENT, names.MIXTURE_NLL) if c in self.table.columns]

    def _feature_columns(self) -> list[str]:
        found = [c for c in self.table.columns if str(c).startswith("feature_")]
        return sorted(found, key=lambda column: int(column.removeprefix("feature_")))

    def write(self, path: Path) -> None:
        """Check and write the table."""
        self.check(path.name)
        meta = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "table"}
        if self.decision is None:
            del meta["decision"]
        write_table(path, self.table[self.columns()], meta)

    @classmethod
    def read(cls, path: Path) -> Predictions:
        """Read and check a predictions table."""
        table, meta = read_table(path)
        try:
            meta["classes"], meta["attributes"] = tuple(meta["classes"]), tuple(meta["attributes"])
            if "decision" in meta:
                meta["decision"] = Decision.parse(meta["decision"], path.name)
            predictions = cls(table=table, **meta)
        except (KeyError, TypeError) as error:
            raise ArtifactError(
                f"{path.name}: file must hold a predictions table, got no complete header ({error})"
            ) from error
        predictions.check(path.name)
        return predictions

    def check(self, where: str) -> None:
        """Check the table against the schema.

        Raises
        ------
        ArtifactError
            At the first column that is missing, undefined or out of range.
        """
        import numpy as np

        if self.kind not in names.KINDS:
            raise ArtifactError(f"{where}: kind must be one of {names.KINDS}, got {self.kind!r}")
        if missing := [c for c in self.columns() if c not in self.table.columns]:
            raise ArtifactError(f"{where}: columns must include {missing}, got none of them")
        if self.table.empty:
            raise ArtifactError(f"{where}: table must have a row, got none")
        if self.table["sample_id"].duplicated().any():
            raise ArtifactError(f"{where}: sample_id must be unique, got repeated ids")
        for column in self.columns():
            if self.table[column].isna().any():
                raise ArtifactError(f"{where}: column {column} must be defined, got missing values")
            numeric = self.table[column].dtype.kind == "f"
            if numeric and not np.isfinite(self.table[column]).all():
                raise ArtifactError(f"{where}: column {column} must be finite, got infinite values")
        check_design(self.table, where)
        if self.kind in (names.CLASSIFICATION, names.GENERATOR):
            for column in ("y_true", "y_pred"):
                codes = self.table[column]
                if not codes.isin(range(len(self.classes))).all():
                    raise ArtifactError(
                        f"{where}: {column} must be a code in 0…{len(self.classes) - 1}, "
                        f"got {codes.min()}…{codes.max()}"
                    )
            scores = self.scores()
            if scores.min() < 0 or not np.allclose(scores.sum(axis=1), 1, atol=1e-4):
                raise ArtifactError(f"{where}: scores must be >= 0 and sum to 1 in every row")
            if self.decision is not None:
                wrong = int((decide(scores, self.decision) != self.table["y_pred"]).sum())
                if wrong:
                    raise ArtifactError(
                        f"{where}: y_pred must be what the threshold {self.decision.threshold:g} "
                        f"decides, got {wrong} other decisions"
                    )


def passthrough_columns(rows: pd.DataFrame, attributes: tuple[str, ...]) -> dict[str, pd.Series]:
    """Return the columns that are copied from a prepared table to a predictions table, by name."""
    design = [column for column in (names.ENTITY, names.WEIGHT) if column in rows]
    return {column: rows[column] for column in (*design, *attributes)}
