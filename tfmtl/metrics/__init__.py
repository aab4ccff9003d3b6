"""Metrics by task and space."""

from tfmtl.metrics.auc import LogitAUC, roc_auc
from tfmtl.metrics.calibration import Calibration, calibration, calibration_ratio, expected_calibration_error
from tfmtl.metrics.counts import CountErrors, count_errors, count_errors_by_scenario, nmae, smape
from tfmtl.metrics.gauc import GroupAUC, gauc, group_auc

__all__ = [
    "Calibration",
    "CountErrors",
    "GroupAUC",
    "LogitAUC",
    "calibration",
    "calibration_ratio",
    "count_errors",
    "count_errors_by_scenario",
    "expected_calibration_error",
    "gauc",
    "group_auc",
    "nmae",
    "roc_auc",
    "smape",
]
