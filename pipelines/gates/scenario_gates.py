"""Gates of one output in each scenario."""

import math
from collections.abc import Sequence

from pipelines.gates.gate import FAILED, NOT_JUDGED, PASSED, Gate, Status
from pipelines.gates.measured import Measured, auc_error, calibration_interval, quantile
from pipelines.gates.output_gates import change_gate
from pipelines.gates.thresholds import ScenarioThresholds


def scenario_gates(slices: Sequence[Measured], bounds: ScenarioThresholds, confidence: float) -> list[Gate]:
    """Returns the gates of an output in the scenarios.

    A scenario fails if its metric is beyond the bound with the given confidence over all judged scenarios together:
    each of `m` scenarios is tested with the confidence `1 - (1 - confidence) / m`.

    Args:
        slices: Metrics of the output in each scenario of the test split.
        bounds: Requirements on each scenario.
        confidence: Probability of the one-sided intervals.
    """
    gates = [_missing(slices[0].output if slices else "", name) for name in _absent(slices, bounds)]
    judged = [one for one in slices if _is_enough(one, bounds)]
    gates += [_too_few(one, bounds) for one in slices if one not in judged and one.slice in bounds.required]
    each = 1 - (1 - confidence) / max(len(judged), 1)
    for one in judged:
        gates += _gates(one, bounds, each)
    return gates


def _gates(one: Measured, bounds: ScenarioThresholds, confidence: float) -> list[Gate]:
    gates = []
    if not one.is_count and bounds.min_auc is not None:
        gates.append(_auc(one, bounds.min_auc, confidence))
    is_known = not one.is_value or not math.isnan(one.calibration_error)
    if bounds.calibration is not None and one.positives > 0 and is_known:
        gates.append(_calibration(one, bounds.calibration, confidence))
    if not one.is_count and bounds.max_auc_drop is not None and not math.isnan(one.baseline_auc):
        gates.append(change_gate(one, bounds.max_auc_drop, confidence))
    return gates


def _auc(one: Measured, least: float, confidence: float) -> Gate:
    # The error of a model at the bound whose rows are independent, or that of this model's groups if it is larger.
    error = auc_error(least, one.positives, one.rows - one.positives)
    reach = quantile(confidence) * (error if math.isnan(one.auc_error) else max(error, one.auc_error))
    interval = (one.auc - reach, one.auc + reach)
    passes = interval[1] >= least
    reason = "" if passes else f"the auc of {one.output} in {one.slice} is {one.auc:.4f}, surely below {least:g}"
    return _gate("auc", one, one.auc, f">= {least:g}", interval, passes, reason)


def _calibration(one: Measured, band: tuple[float, ...], confidence: float) -> Gate:
    low = high = one.calibration
    if not one.is_value:  # Events that are independent of each other.
        low, high = calibration_interval(one.calibration, one.positives, confidence)
    if not math.isnan(one.calibration_error):  # Of rows that depend on each other.
        reach = quantile(confidence) * one.calibration_error
        low, high = min(low, one.calibration - reach), max(high, one.calibration + reach)
    interval = (low, high)
    passes = high >= band[0] and low <= band[1]
    words = f"is {one.calibration:.3g}, surely outside [{band[0]:g}, {band[1]:g}]"
    reason = "" if passes else f"the calibration of {one.output} in {one.slice} {words}"
    return _gate("calibration", one, one.calibration, f"in [{band[0]:g}, {band[1]:g}]", interval, passes, reason)


def _gate(
    name: str, one: Measured, value: float, bound: str, interval: tuple[float, float], passes: bool, reason: str
) -> Gate:
    status: Status = PASSED if passes else FAILED
    return Gate(name, status, one.output, one.slice, value, bound, interval=interval, reason=reason)


def _is_enough(one: Measured, bounds: ScenarioThresholds) -> bool:
    if one.rows < bounds.min_rows or one.not_finite:
        return False
    return one.is_count or min(one.positives, one.rows - one.positives) >= bounds.min_positives


def _absent(slices: Sequence[Measured], bounds: ScenarioThresholds) -> list[str]:
    return [name for name in bounds.required if name not in {one.slice for one in slices}]


def _missing(output: str, name: str) -> Gate:
    reason = f"the test split has no row of the required scenario {name}"
    return Gate("rows", FAILED, output, name, 0.0, ">= 1", reason=reason)


def _too_few(one: Measured, bounds: ScenarioThresholds) -> Gate:
    words = f"{one.rows:,} test rows" + ("" if one.is_count else f", {one.positives:,.0f} positive")
    reason = f"{one.output} has {words} in the required scenario {one.slice}, too few to judge it"
    status: Status = FAILED if one.slice in bounds.required else NOT_JUDGED
    return Gate("rows", status, one.output, one.slice, float(one.rows), f">= {bounds.min_rows:,}", reason=reason)
