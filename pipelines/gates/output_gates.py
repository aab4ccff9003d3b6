"""Gates of one output on all test rows."""

import math

from pipelines.gates.gate import FAILED, NOT_JUDGED, PASSED, Gate, Status
from pipelines.gates.measured import Measured, quantile
from pipelines.gates.thresholds import Thresholds

_CONSTANT = 1e-6
"""Range of the scores, relative to the largest, up to which they count as constant."""


def output_gates(measured: Measured, thresholds: Thresholds, required: bool) -> list[Gate]:
    """Returns the gates of an output on all test rows.

    Scores that are not finite, constant scores and too few rows come first; if one of them fails, the metrics, which
    then mean nothing, are not judged.

    Args:
        measured: Metrics of the output on all test rows.
        thresholds: Requirements.
        required: Refuses the model if the output has too few rows to be judged; otherwise the output is not judged.
    """
    gates = [finite_gate(measured)]
    gates += [_constant(measured)] if gates[-1].status == PASSED and measured.rows > 1 else []
    gates += _enough_rows(measured, thresholds, required)
    if any(gate.status != PASSED for gate in gates):
        return gates
    if measured.is_value:
        gates += [_at_least("gini", measured, measured.gini, thresholds.min_gini)]
        gates += _change(measured, thresholds.max_gini_drop, thresholds.confidence)
    elif measured.is_count:
        gates += [_at_most("nmae", measured, measured.nmae, thresholds.max_nmae)]
        gates += _change(measured, thresholds.max_nmae_rise, thresholds.confidence)
    else:
        gates += [_at_least("auc", measured, measured.auc, thresholds.min_auc)]
        gates += _change(measured, thresholds.max_auc_drop, thresholds.confidence)
    return [gate for gate in [*gates, _calibration(measured, thresholds.calibration)] if gate.bound]


def finite_gate(one: Measured) -> Gate:
    """Returns the gate that all scores are finite.

    Args:
        one: Metrics of the output on all test rows.
    """
    status: Status = FAILED if one.not_finite else PASSED
    reason = f"{one.not_finite:,} of {one.rows:,} scores of {one.output} are NaN or infinite" if one.not_finite else ""
    return Gate(
        "finite scores", status, one.output, value=one.rows - one.not_finite, bound=f"all {one.rows:,}", reason=reason
    )


def _constant(one: Measured) -> Gate:
    spread = one.highest - one.lowest
    is_constant = spread <= _CONSTANT * max(abs(one.highest), abs(one.lowest))
    reason = f"all scores of {one.output} are {one.highest:.6g}" if is_constant else ""
    status: Status = FAILED if is_constant else PASSED
    return Gate("range of scores", status, one.output, value=spread, bound="> 0", reason=reason)


def _enough_rows(one: Measured, thresholds: Thresholds, required: bool) -> list[Gate]:
    counts = [("rows", float(one.rows), thresholds.min_rows, "test rows")]
    if not one.is_count:
        counts += [
            ("positives", one.positives, thresholds.min_positives, "positive test rows"),
            ("negatives", one.rows - one.positives, thresholds.min_positives, "negative test rows"),
        ]
    gates = []
    for name, count, least, words in counts:
        too_few = count < least
        status: Status = PASSED if not too_few else FAILED if required else NOT_JUDGED
        reason = f"{one.output} has {count:,.0f} {words}, too few to judge it" if too_few else ""
        gates.append(Gate(name, status, one.output, value=count, bound=f">= {least:,}", reason=reason))
    return gates


def _at_least(name: str, one: Measured, value: float, least: float | None) -> Gate:
    passes = least is None or value >= least
    reason = "" if passes else f"the {name} of {one.output} is {value:.4f}, below {least:g}"
    bound = "" if least is None else f">= {least:g}"
    return Gate(name, PASSED if passes else FAILED, one.output, value=value, bound=bound, reason=reason)


def _at_most(name: str, one: Measured, value: float, most: float | None) -> Gate:
    passes = most is None or value <= most
    reason = "" if passes else f"the {name} of {one.output} is {value:.4f}, above {most:g}"
    bound = "" if most is None else f"<= {most:g}"
    return Gate(name, PASSED if passes else FAILED, one.output, value=value, bound=bound, reason=reason)


def _calibration(one: Measured, band: tuple[float, ...] | None) -> Gate:
    if band is None:
        return Gate("calibration", PASSED, one.output, value=one.calibration)
    passes = band[0] <= one.calibration <= band[1]
    words = f"the calibration of {one.output} is {one.calibration:.3g}, outside [{band[0]:g}, {band[1]:g}]"
    bound = f"in [{band[0]:g}, {band[1]:g}]"
    status: Status = PASSED if passes else FAILED
    return Gate("calibration", status, one.output, value=one.calibration, bound=bound, reason="" if passes else words)


def _change(one: Measured, most: float | None, confidence: float) -> list[Gate]:
    """Returns the gate of the change from the last blessed model; none without such a model or a bound."""
    baseline = one.baseline_gini if one.is_value else one.baseline_nmae if one.is_count else one.baseline_auc
    if most is None or math.isnan(baseline):
        return []
    return [change_gate(one, most, confidence)]


def change_gate(one: Measured, most: float, confidence: float) -> Gate:
    """Returns the gate of the change of the AUC, the error of a count, or the Gini coefficient of a value.

    The model is refused if it is worse than the last blessed one by more than `most` with the given confidence: with
    the difference `d`, its standard error `s` on the same rows and the quantile `z`, if `d + z s < -most` for the AUC
    and the Gini coefficient, `d - z s > most` for the error.

    Args:
        one: Metrics of the output on a slice, with those of the baseline.
        most: Largest accepted worsening.
        confidence: Probability of the one-sided interval.
    """
    is_error = one.is_count and not one.is_value
    if one.is_value:
        name, value, baseline, bound, side = "gini", one.gini, one.baseline_gini, f">= {-most:+g}", "less than"
    elif one.is_count:
        name, value, baseline, bound, side = "nmae", one.nmae, one.baseline_nmae, f"<= {most:+g}", "more than"
    else:
        name, value, baseline, bound, side = "auc", one.auc, one.baseline_auc, f">= {-most:+g}", "less than"
    difference = value - baseline
    reach = 0.0 if math.isnan(one.change_error) else quantile(confidence) * one.change_error
    interval = (difference - reach, difference + reach)
    passes = interval[0] <= most if is_error else interval[1] >= -most
    of = f"{one.output} in {one.slice}" if one.slice else one.output
    words = f"the {name} of {of} changed by {difference:+.4f} from {baseline:.4f} of the served model"
    reason = f"{words}, with {confidence:.4g} confidence by {side} {bound.split()[1]}"
    status: Status = PASSED if passes else FAILED
    return Gate(
        f"change of {name}",
        status,
        one.output,
        one.slice,
        difference,
        bound,
        baseline,
        interval,
        "" if passes else reason,
    )
