"""The parameters of the laboratories: one model per ``studies/<lab>/params.yaml``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from plumbline.params.blocks import Block, Share
from plumbline.params.feedforward import FeedforwardStudy
from plumbline.params.mitigation import BalanceParams, DilemmaParams, MitigateParams
from plumbline.params.reports import IndividualParams, StandardsParams
from plumbline.params.transfer import TransferStudy


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
    "transfer": TransferStudy,
}
