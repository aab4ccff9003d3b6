"""Losses on logits, by task name."""

from tfmtl.losses.logit_losses import binary_cross_entropy, poisson, rate

__all__ = ["binary_cross_entropy", "poisson", "rate"]
