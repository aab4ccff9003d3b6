"""Losses on logits, by task name."""

from tfmtl.losses.focal import focal_cross_entropy
from tfmtl.losses.importance import difference_importance, label_importance
from tfmtl.losses.info_nce import alignment, bpr_contrast, info_nce
from tfmtl.losses.logit_losses import binary_cross_entropy, poisson, rate
from tfmtl.losses.sequential_dependence import SequentialDependenceLoss, behavioral_calibrator
from tfmtl.losses.uncertainty import UncertaintyWeighting

__all__ = [
    "SequentialDependenceLoss",
    "UncertaintyWeighting",
    "alignment",
    "behavioral_calibrator",
    "binary_cross_entropy",
    "bpr_contrast",
    "difference_importance",
    "focal_cross_entropy",
    "info_nce",
    "label_importance",
    "poisson",
    "rate",
]
