"""The parameters of the laboratories: one model per ``studies/<lab>/params.yaml``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from plumbline.params.blocks import Block, NonNegative, Positive, PositiveInt, Share
from plumbline.params.feedforward import FeedforwardStudy
from plumbline.params.reports import IndividualParams, StandardsParams
from plumbline.params.sequence import SequenceStudy
from plumbline.params.transfer import TransferStudy


class NetworkStrengths(Block):
    """How hard the methods pull on a network: first the setting, then what else a curve shows."""

    regulariser: Annotated[tuple[NonNegative, ...], Field(min_length=1)]
    group_dro: Annotated[tuple[NonNegative, ...], Field(min_length=1)]
    adversarial: Annotated[tuple[NonNegative, ...], Field(min_length=1)]
    group_thresholds: Annotated[tuple[NonNegative, ...], Field(min_length=1)]


class RegressionStrengths(NetworkStrengths):
    """How hard the methods pull on a logistic regression."""

    constraint: Annotated[tuple[Share, ...], Field(min_length=1)]


class MitigateParams(Block):
    """The methods of mitigation, and how hard they pull."""

    attribute: Annotated[str, Field(min_length=1)]
    rounds: PositiveInt
    adversary_lr: Positive
    logistic_regression: RegressionStrengths
    fnn: NetworkStrengths

    def strengths(self, model: str, method: str) -> tuple[float, ...]:
        """Return a method's strengths, its setting first; (1,) if it has no parameter."""
        found: tuple[float, ...] = getattr(getattr(self, model), method, (1.0,))
        return found


class BalanceParams(Block):
    """A group of the training images that is undersampled, and rebalanced in two ways."""

    attribute: Annotated[str, Field(min_length=1)]
    group: Annotated[str, Field(min_length=1)]
    share: Share
    gan_steps: PositiveInt
    draws_per_row: PositiveInt


class HiringParams(Block):
    """The hiring tool of the dilemma."""

    overall_accuracy: Annotated[float, Field(gt=0.5, lt=1)]
    minority_accuracy: Annotated[float, Field(gt=0.5, lt=1)]
    minority_share: Share
    qualified_share: Share
    candidates: PositiveInt


class DilemmaParams(Block):
    """Conflicting fairness criteria, and the hiring dilemma."""

    hiring: HiringParams
    confidence: Share
    bootstrap_replicates: PositiveInt


class CrossValidationParams(Block):
    """How the training and validation rows of the table are divided into folds."""

    kind: Literal["k_fold", "stratified", "grouped", "forward_chaining"]
    folds: Annotated[int, Field(ge=2, strict=True)]
    group: Annotated[str, Field(min_length=1)] | None
    order: Annotated[str, Field(min_length=1)] | None
    confidence: Share

    @model_validator(mode="after")
    def _has_the_column_of_its_kind(self) -> CrossValidationParams:
        for knob, kind in (("group", "grouped"), ("order", "forward_chaining")):
            value = getattr(self, knob)
            if (value is not None) != (self.kind == kind):
                rule = "a column" if self.kind == kind else "null"
                raise ValueError(f"{knob} must be {rule} with kind {self.kind}, got {value!r}")
        return self


class FairnessStudy(Block):
    """All of ``studies/fairness/params.yaml``."""

    individual: IndividualParams
    mitigate: MitigateParams
    balance_images: BalanceParams
    dilemma: DilemmaParams
    cross_validation: CrossValidationParams
    standards: StandardsParams


STUDIES: dict[str, type[Block]] = {
    "fairness": FairnessStudy,
    "feedforward": FeedforwardStudy,
    "sequence": SequenceStudy,
    "transfer": TransferStudy,
}
