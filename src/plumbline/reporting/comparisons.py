"""Paired differences of models as cards and the report page show them."""

from __future__ import annotations

from dataclasses import dataclass

from plumbline import catalog, names
from plumbline.reporting.references import Book, Reference
from plumbline.reporting.rendering import Safe, escape, words

MEANING = (
    "Both models predicted the same test rows, and the interval of a difference is paired. The "
    "verdict allows for all pairs of models of the data set, so that an interval, which stands for "
    "itself, may exclude 0 where the verdict is inconclusive. Inconclusive does not mean equal."
)


@dataclass(frozen=True)
class PairedDifference:
    """A metric of a model less that of another on the same test rows.

    Attributes
    ----------
    model, other, quantity, method : str
    unit : str
        What the test split is made of: rows or documents.
    value, p : Reference
    low, high : Reference or None
        None without an interval.
    verdict : str
        better, worse, inconclusive or insufficient; empty unless the metric is the main one.
    pairs : int
        Pairs of models that the verdict allows for.
    """

    model: str
    other: str
    quantity: str
    method: str
    unit: str
    value: Reference
    p: Reference
    low: Reference | None
    high: Reference | None
    verdict: str
    pairs: int

    def interval(self) -> Safe:
        """Return ``[low, high]`` with references, or "none"."""
        if self.low is None or self.high is None:
            return Safe("none")
        return Safe(f"[{self.low.markdown()}, {self.high.markdown()}]")

    def sentence(self) -> Safe:
        """Return what the verdict says in words, for Markdown; empty without a verdict."""
        metric, other = escape(words(self.quantity)), escape(label(self.other))
        found = f"{self.value.markdown()} {self.interval()}"
        if self.verdict in (names.BETTER, names.WORSE):
            return Safe(f"The {metric} is {self.verdict} than that of {other}: difference {found}.")
        if self.verdict == names.INCONCLUSIVE:
            return Safe(
                f"The difference in {metric} from {other} is inconclusive: {found}"
                f"{self._excluded()}. This does not prove that they are equal."
            )
        if self.verdict == names.INSUFFICIENT:
            return Safe(
                f"The test rows cannot tell the {metric} of this model and of {other} apart: no "
                "interval of their difference can be estimated."
            )
        return Safe("")

    def _excluded(self) -> str:
        """Return why an interval without 0 is no verdict: other pairs are allowed for."""
        ends = [end.value for end in (self.low, self.high) if end is not None]
        if len(ends) < 2 or ends[0] <= 0 <= ends[1]:
            return ""
        return (
            f"; the interval excludes 0, but not with all {self.pairs} pairs of models allowed for"
        )


def label(model: str) -> str:
    """Return a model's name in the catalogue, or its name in words."""
    for spec in catalog.models().values():
        if model == spec.name:
            return spec.label
        if model == names.mixture(spec.name):
            return f"the mixture of {spec.label} and n-gram model"
    return words(model)


def differences(book: Book, model: str) -> list[PairedDifference]:
    """Return the differences of a model from each other one, in the order of the report.

    A model without a baseline in the catalogue has none: its card must not wait for the training of
    every other model of its data.

    Parameters
    ----------
    book : Book
    model : str
        One of the catalogue.

    Raises
    ------
    ArtifactError
        If its data set has no comparison.
    """
    spec = catalog.model(model)
    if not spec.baseline:
        return []
    file = names.COMPARISONS / f"{spec.dataset}.json"
    report = book.read(file)
    size = len(report["models"])
    found = []
    for index, row in enumerate(report["differences"]):
        if row["model"] == model:
            at = {key: book.at(file, "differences", index, key)
                  for key in ("value", "p", "low", "high")}  # fmt: skip
            known = at["low"].value is not None and at["high"].value is not None
            found.append(
                PairedDifference(
                    model,
                    row["other"],
                    row["quantity"],
                    row["method"],
                    report["unit"],
                    at["value"],
                    at["p"],
                    at["low"] if known else None,
                    at["high"] if known else None,
                    row.get("verdict", ""),
                    size * (size - 1) // 2,
                )
            )
    return found


def from_baseline(book: Book, model: str) -> PairedDifference | None:
    """Return the difference in the main metric from the model's baseline in the catalogue."""
    baseline = catalog.model(model).baseline
    return next(
        (one for one in differences(book, model) if one.other == baseline and one.verdict), None
    )
