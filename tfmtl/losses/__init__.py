"""Losses and loss weighting for multi-task models, computed from logits."""

from tfmtl.losses.chain_logits import entire_logits, product_logit
from tfmtl.losses.delayed_feedback import delayed_feedback, fake_negative_cross_entropy
from tfmtl.losses.doubly_robust import doubly_robust_risk, imputation_risk
from tfmtl.losses.focal import focal_cross_entropy
from tfmtl.losses.importance import difference_importance, label_importance
from tfmtl.losses.info_nce import alignment, bpr_contrast, info_nce
from tfmtl.losses.inverse_propensity import inverse_propensity, inverse_propensity_risk
from tfmtl.losses.logit_losses import binary_cross_entropy, poisson, rate
from tfmtl.losses.sequential_dependence import SequentialDependenceLoss, behavioral_calibrator
from tfmtl.losses.tweedie import mean_value, tweedie
from tfmtl.losses.uncertainty import UncertaintyWeighting

__all__ = [
    "SequentialDependenceLoss",
    "UncertaintyWeighting",
    "alignment",
    "behavioral_calibrator",
    "binary_cross_entropy",
    "bpr_contrast",
    "delayed_feedback",
    "difference_importance",
    "doubly_robust_risk",
    "entire_logits",
    "fake_negative_cross_entropy",
    "focal_cross_entropy",
    "imputation_risk",
    "info_nce",
    "inverse_propensity",
    "inverse_propensity_risk",
    "label_importance",
    "mean_value",
    "poisson",
    "product_logit",
    "rate",
    "tweedie",
]
