"""Transfer: fit a pretrained timm backbone to few labels by one of several strategies."""

from plumbline.training.recipes.transfer.finetune import finetune
from plumbline.training.recipes.transfer.probe import extract_features
from plumbline.training.recipes.transfer.strategies import STRATEGIES

__all__ = ["STRATEGIES", "extract_features", "finetune"]
