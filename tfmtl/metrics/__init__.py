"""Metrics of binary tasks, counts and values: functions of arrays, and Keras metrics that are updated batch by batch.

| Metric | Function of arrays | Keras metric |
|---|---|---|
| Area under the ROC curve | `roc_auc` | `LogitAUC` |
| AUC within groups (GAUC) | `gauc`, `group_auc` | `GAUC` |
| Calibration ratio | `calibration_ratio` | `CalibrationRatio` |
| Expected calibration error | `expected_calibration_error` | `ExpectedCalibrationError` |
| Normalized mean absolute error | `nmae` | `NMAE` |
| Symmetric mean absolute percentage error | `smape` | `SMAPE` |
| Normalized Gini coefficient | `normalized_gini` | `NormalizedGini` |
"""

from tfmtl.metrics.auc import LogitAUC, roc_auc
from tfmtl.metrics.calibration import (
    Calibration,
    CalibrationRatio,
    ExpectedCalibrationError,
    calibration,
    calibration_ratio,
    expected_calibration_error,
)
from tfmtl.metrics.counts import NMAE, SMAPE, CountErrors, count_errors, count_errors_by_scenario, nmae, smape
from tfmtl.metrics.gauc import GAUC, GroupAUC, gauc, group_auc
from tfmtl.metrics.gini import NormalizedGini, normalized_gini

__all__ = [
    "GAUC",
    "NMAE",
    "SMAPE",
    "Calibration",
    "CalibrationRatio",
    "CountErrors",
    "ExpectedCalibrationError",
    "GroupAUC",
    "LogitAUC",
    "NormalizedGini",
    "calibration",
    "calibration_ratio",
    "count_errors",
    "count_errors_by_scenario",
    "expected_calibration_error",
    "gauc",
    "group_auc",
    "nmae",
    "normalized_gini",
    "roc_auc",
    "smape",
]
