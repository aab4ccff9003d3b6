"""Sections of the result: gates, and the comparison with logistic regression and the last blessed model."""

import math

from pipelines.evaluation.results import space_name
from pipelines.gates.gate import FAILED, NOT_JUDGED, PASSED, Gate
from pipelines.gates.measured import Measured
from pipelines.gates.report import refusal
from pipelines.report.page.blocks import NO_VALUE, Block, Cell, Section, Text, estimate, number, table
from pipelines.report.run_data import RunData

_TONES = {PASSED: "good", FAILED: "bad", NOT_JUDGED: "open"}


def metrics_section(data: RunData) -> Section | None:
    """Returns the metrics of each output on all test rows, beside logistic regression and the last blessed model.

    Args:
        data: The run.
    """
    overall = [one for one in data.measured if not one.slice]
    if not overall:
        return None
    spec = data.settings.spec
    outputs = {output.name: output for output in spec.outputs}
    blocks: list[Block] = []
    for kind, (columns, cells) in _COLUMNS.items():
        own = [one for one in overall if (one.is_count, one.is_value) == kind]
        if not own:
            continue
        rows = [
            [one.output, space_name(spec, outputs[one.output]), number(float(one.rows), ",.0f"), *cells(one, data)]
            for one in own
        ]
        blocks.append(
            table(("output", "space", "rows", *columns), rows, "Metrics on the test split, each on its space.")
        )
    blocks.append(Text(_comparison(data, overall)))
    return Section("metrics", "Metrics", tuple(blocks))


_BINARY = ("AUC", "GAUC", "logistic regression", "last model", "change", "calibration", "log loss")
_COUNT = ("NMAE", "SMAPE", "last model", "change", "calibration")
_VALUE = ("Gini", "Tweedie regression", "last model", "change", "NMAE", "calibration", "mean score", "mean label")


def _binary_cells(one: Measured, data: RunData) -> list[Cell]:
    return [
        estimate(one.auc, one.auc_error),
        number(one.gauc),
        number(data.reference.get(one.output, math.nan)),
        number(one.baseline_auc),
        estimate(one.auc - one.baseline_auc, one.change_error, "+.4f"),
        estimate(one.calibration, one.calibration_error, ".3f"),
        number(one.log_loss),
    ]


def _count_cells(one: Measured, data: RunData) -> list[Cell]:
    return [
        number(one.nmae),
        number(one.smape),
        number(one.baseline_nmae),
        estimate(one.nmae - one.baseline_nmae, one.change_error, "+.4f"),
        estimate(one.calibration, one.calibration_error, ".3f"),
    ]


def _value_cells(one: Measured, data: RunData) -> list[Cell]:
    return [
        estimate(one.gini, one.gini_error),
        number(data.reference.get(one.output, math.nan)),
        number(one.baseline_gini),
        estimate(one.gini - one.baseline_gini, one.change_error, "+.4f"),
        number(one.nmae),
        estimate(one.calibration, one.calibration_error, ".3f"),
        number(one.mean_score, ".4g"),
        number(one.mean_label, ".4g"),
    ]


_COLUMNS = {
    (False, False): (_BINARY, _binary_cells),
    (True, False): (_COUNT, _count_cells),
    (True, True): (_VALUE, _value_cells),
}
"""Columns and cells of a table by `is_count` and `is_value`."""


def _comparison(data: RunData, overall: list[Measured]) -> str:
    """Returns sentences about the models with which this one is compared."""
    sentences = []
    baselines = [(one.baseline_auc, one.baseline_nmae, one.baseline_gini) for one in overall]
    if all(math.isnan(value) for values in baselines for value in values):
        sentences.append("There was no blessed model to compare with.")
    elif data.past.compared_with:
        sentences.append(f"The last model is that of run {data.past.compared_with}, scored on the same rows.")
    else:
        sentences.append("The last model is the last blessed one, scored on the same rows.")
    if any(not one.is_count for one in overall):
        if not data.reference:
            sentences.append("Logistic regression was not fitted on these rows.")
        sentences.append(
            "AUC is the area under the ROC curve, GAUC that within the groups of the group key, weighted by their rows."
        )
    if any(one.is_count for one in overall):
        sentences.append("NMAE is the sum of the absolute errors divided by that of the labels.")
    if any(one.is_value for one in overall):
        sentences.append(
            "Gini is the normalized Gini coefficient: 1 for the best order of the rows, 0 for a random one. Tweedie "
            "regression is the linear model of a value."
        )
    sentences.append("Calibration is the mean score divided by the mean label. A value after ± is a standard error.")
    return " ".join(sentences)


def gates_section(data: RunData) -> Section | None:
    """Returns the gates with value, bound and baseline, those that failed first.

    Args:
        data: The run.
    """
    if not data.gates:
        return None
    failed = [gate for gate in data.gates if gate.status == FAILED]
    order = {FAILED: 0, NOT_JUDGED: 1, PASSED: 2}
    gates = sorted(data.gates, key=lambda gate: order[gate.status])
    counts = [f"{sum(gate.status == status for gate in gates):,} {status}" for status in (PASSED, FAILED, NOT_JUDGED)]
    blocks: list[Block] = [Text(refusal(data.gates), "bad")] if failed else []
    blocks.append(Text(f"Gates: {', '.join(counts)}."))
    columns = ("gate", "output", "slice", "result", "value", "bound", "interval", "last model", "reason")
    rows = [_gate_row(gate) for gate in gates]
    blocks.append(table(columns, rows, "Conditions on the model before it is pushed.", search="gate"))
    return Section("gates", "Gates", tuple(blocks))


def _gate_row(gate: Gate) -> list[Cell | str]:
    interval = NO_VALUE if gate.interval is None else " to ".join(f"{bound:.4g}" for bound in gate.interval)
    status = Cell(gate.status, tone=_TONES[gate.status])
    value, baseline = number(gate.value, ".5g"), number(gate.baseline, ".5g")
    return [gate.name, gate.output, gate.slice, status, value, gate.bound, interval, baseline, gate.reason]
