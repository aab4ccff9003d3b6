"""Metrics of an output on one slice, as its gates need them, and their uncertainty."""

import dataclasses
import math

from scipy import special, stats


@dataclasses.dataclass(frozen=True)
class Measured:
    """Metrics of one output on one slice, with those of the last blessed model on the same rows.

    Attributes:
        output: Name of the output.
        slice: Name of the scenario; empty for all rows.
        is_count: True for the output of a count or value, whose labels are numbers.
        is_value: True for the output of a value.
        rows: Number of rows in the output's space.
        positives: Number of positive rows; of a count or value, the sum of the labels.
        not_finite: Number of scores that are NaN or infinite.
        lowest: Lowest score.
        highest: Highest score.
        auc: AUC; NaN for a count, a value or one class.
        auc_error: Standard error of the AUC.
        gauc: AUC within groups, averaged over the groups by their numbers of rows; NaN without a group key.
        log_loss: Mean log loss of a binary task.
        mean_score: Mean score.
        mean_label: Mean label.
        calibration: Mean score divided by the mean label.
        calibration_error: Standard error of the calibration.
        nmae: Normalized mean absolute error of a count or value, `sum |p - y| / sum y`.
        smape: Symmetric mean absolute percentage error of a count or value, `mean |p - y| / ((p + y) / 2)`.
        gini: Normalized Gini coefficient of a value (`tfmtl.metrics.normalized_gini`).
        gini_error: Standard error of the Gini coefficient.
        baseline_auc: AUC of the last blessed model; NaN if there is none.
        baseline_gauc: GAUC of the last blessed model.
        baseline_log_loss: Log loss of the last blessed model.
        baseline_calibration: Calibration of the last blessed model.
        baseline_nmae: Error of the last blessed model.
        baseline_gini: Gini coefficient of the last blessed model.
        change_error: Standard error of the difference of the AUC, of the error of a count, or of the Gini coefficient
            of a value from the baseline's, for rows of which those of a group depend on each other.
    """

    output: str
    slice: str = ""
    is_count: bool = False
    is_value: bool = False
    rows: int = 0
    positives: float = 0.0
    not_finite: int = 0
    lowest: float = math.nan
    highest: float = math.nan
    auc: float = math.nan
    auc_error: float = math.nan
    gauc: float = math.nan
    log_loss: float = math.nan
    mean_score: float = math.nan
    mean_label: float = math.nan
    calibration: float = math.nan
    calibration_error: float = math.nan
    nmae: float = math.nan
    smape: float = math.nan
    gini: float = math.nan
    gini_error: float = math.nan
    baseline_auc: float = math.nan
    baseline_gauc: float = math.nan
    baseline_log_loss: float = math.nan
    baseline_calibration: float = math.nan
    baseline_nmae: float = math.nan
    baseline_gini: float = math.nan
    change_error: float = math.nan


def auc_error(auc: float, positives: float, negatives: float) -> float:
    """Returns the standard error of an AUC by the formula of Hanley and McNeil (1982), for independent rows.

    `SE^2 = (A (1 - A) + (P - 1) (Q1 - A^2) + (N - 1) (Q2 - A^2)) / (P N)` with `Q1 = A / (2 - A)` and
    `Q2 = 2 A^2 / (1 + A)`.

    Args:
        auc: The AUC `A`.
        positives: Number of positive rows `P`.
        negatives: Number of negative rows `N`.

    Example:
        >>> from pipelines.gates.measured import auc_error
        >>> round(auc_error(0.8, 100, 1000), 4)
        0.0271
    """
    first, second = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    total = auc * (1 - auc) + (positives - 1) * (first - auc**2) + (negatives - 1) * (second - auc**2)
    return math.sqrt(max(total, 0.0) / (positives * negatives))


def quantile(confidence: float) -> float:
    """Returns the quantile of the standard normal distribution for a one-sided interval.

    Args:
        confidence: Probability of the interval.

    Example:
        >>> from pipelines.gates.measured import quantile
        >>> round(quantile(0.95), 3)
        1.645
    """
    return float(special.ndtri(confidence))


def calibration_interval(calibration: float, positives: float, confidence: float) -> tuple[float, float]:
    """Returns the interval of a ratio of expected to observed events, by the exact interval of a Poisson count.

    With `E` expected and `O` observed events the interval is `(E / upper(O), E / lower(O))`, whose bounds are those of
    Garwood (1936) for the mean of `O`.

    Args:
        calibration: The ratio `E / O`.
        positives: Number of observed events `O`, above 0.
        confidence: Probability of each one-sided interval.

    Example:
        >>> from pipelines.gates.measured import calibration_interval
        >>> low, high = calibration_interval(1.0, 100, 0.95)
        >>> round(low, 2), round(high, 2)
        (0.85, 1.19)
    """
    expected = calibration * positives
    lower = stats.chi2.ppf(1 - confidence, 2 * positives) / 2
    upper = stats.chi2.ppf(confidence, 2 * positives + 2) / 2
    return expected / upper, expected / lower
