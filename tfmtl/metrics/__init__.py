"""Metrics by task and space."""

from tfmtl.metrics.auc import LogitAUC, roc_auc

__all__ = ["LogitAUC", "roc_auc"]
