"""The rule by which a binary classifier decides, kept with the model and its predictions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from plumbline import names
from plumbline.errors import ArtifactError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


_WORDS = {
    names.ACCURACY: "accuracy",
    names.BALANCED_ACCURACY: "balanced accuracy",
    names.F1: "F1 of this class",
    names.F1_MACRO: "macro F1",
}


@dataclass(frozen=True)
class Decision:
    """A threshold: rows whose probability of the positive class is at least so high are positive.

    A classifier without one decides for the most probable class.

    Attributes
    ----------
    threshold : float
        In (0, 1).
    positive : str
        The second of two classes.
    chosen_for : str or None
        The metric whose value on the validation split chose the threshold; None: it was declared.
    reached : float or None
        This value.
    rows : int or None
        Validation rows that it was chosen on.
    """

    threshold: float
    positive: str
    chosen_for: str | None = None
    reached: float | None = None
    rows: int | None = None

    @classmethod
    def parse(cls, raw: Any, where: str) -> Decision:
        """Return the decision that JSON holds.

        Raises
        ------
        ArtifactError
            If a key is missing or unknown, the threshold is not in (0, 1), or the metric is none of
            those that choose thresholds.
        """
        try:
            found = cls(**raw)
            if not 0 < found.threshold < 1 or found.chosen_for not in (None, *_WORDS):
                raise ValueError(f"{found.threshold!r} for {found.chosen_for!r}")
        except (TypeError, ValueError) as error:
            raise ArtifactError(
                f"{where}: decision must hold a threshold in (0, 1), a class and a known metric, "
                f"got {error}"
            ) from error
        return found

    def sentence(self) -> str:
        """Return the rule in words."""
        rule = (
            f"{self.positive!r} is decided where its probability is at least {self.threshold:.4g}"
        )
        if self.chosen_for is None:
            return f"{rule}, a declared threshold."
        metric = _WORDS[self.chosen_for]
        return (
            f"{rule}: of all thresholds the one with the best {metric} on the {self.rows} rows of "
            f"the validation split, {self.reached:.4g} there."
        )

    def facts(self) -> dict[str, Any]:
        """Return the decision as JSON, without what a declared one lacks."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def decide(scores: npt.NDArray[np.float64], decision: Decision | None) -> npt.NDArray[np.int64]:
    """Return the class codes ``(N,)`` that a rule gives to class probabilities ``(N, K)``.

    Without a rule the most probable class, of equals the first.
    """
    if decision is None:
        most_probable: npt.NDArray[np.int64] = scores.argmax(axis=1)
        return most_probable
    return (scores[:, 1] >= decision.threshold).astype("int64")
