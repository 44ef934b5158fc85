"""The parameters of the laboratories: one model per ``studies/<lab>/params.yaml``."""

from __future__ import annotations

from plumbline.params.blocks import Block
from plumbline.params.feedforward import FeedforwardStudy
from plumbline.params.mitigation import BalanceParams, DilemmaParams, MitigateParams
from plumbline.params.models import CrossValidationParams
from plumbline.params.reports import IndividualParams, StandardsParams


class FairnessStudy(Block):
    """All of ``studies/fairness/params.yaml``."""

    individual: IndividualParams
    mitigate: MitigateParams
    balance_images: BalanceParams
    dilemma: DilemmaParams
    cross_validation: CrossValidationParams
    standards: StandardsParams


STUDIES: dict[str, type[Block]] = {"fairness": FairnessStudy, "feedforward": FeedforwardStudy}
