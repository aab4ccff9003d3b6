"""Gates of all outputs of a model on the test split."""

from collections.abc import Mapping, Sequence

from pipelines.gates.gate import FAILED, NOT_JUDGED, Gate
from pipelines.gates.measured import Measured
from pipelines.gates.output_gates import finite_gate, output_gates
from pipelines.gates.scenario_gates import scenario_gates
from pipelines.gates.thresholds import ScenarioThresholds, Thresholds


def metric_gates(
    measured: Sequence[Measured], outputs: Sequence[str], thresholds: Mapping[str, Thresholds | None]
) -> list[Gate]:
    """Returns the gates of the outputs, on all test rows and in each scenario.

    An output without thresholds of its own has the default ones, and is not judged if it has too few rows for them. The
    model is refused if no output can be judged. The thresholds null leave only the check that scores are finite.

    Args:
        measured: Metrics of each output on all test rows and in each scenario.
        outputs: Names of all outputs of the spec.
        thresholds: Requirements by output.
    """
    gates: list[Gate] = []
    judged = 0
    for output in outputs:
        mine = [one for one in measured if one.output == output]
        overall = next((one for one in mine if not one.slice), None)
        if overall is None or not overall.rows:
            gates.append(_missing(output, is_refused=overall is None or thresholds.get(output) is not None))
            continue
        bounds = thresholds.get(output, Thresholds())
        if bounds is None:
            gates.append(finite_gate(overall))
            continue
        of_output = output_gates(overall, bounds, required=output in thresholds)
        gates += of_output
        if all(gate.status != NOT_JUDGED for gate in of_output):
            judged += 1
            of_scenario = next(iter(bounds.slices.values()), ScenarioThresholds())
            gates += scenario_gates([one for one in mine if one.slice], of_scenario, bounds.confidence)
    if not judged and any(thresholds.get(output, Thresholds()) is not None for output in outputs):
        reason = "no output has enough test rows to judge the model"
        gates.append(Gate("judged outputs", FAILED, value=0.0, bound=">= 1", reason=reason))
    return gates


def _missing(output: str, is_refused: bool) -> Gate:
    reason = f"there is no test row, or no score, of {output}"
    return Gate("rows", FAILED if is_refused else NOT_JUDGED, output, value=0.0, bound=">= 1", reason=reason)
