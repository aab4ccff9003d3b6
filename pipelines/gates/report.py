"""Table of the gates, and the sentence that says why a model was refused."""

import math
from collections.abc import Sequence

from rich.table import Table

from pipelines.gates.gate import FAILED, NOT_JUDGED, PASSED, Gate, failed

_STYLES = {PASSED: "green", FAILED: "bold red", NOT_JUDGED: "yellow"}
_MOST_SCENARIOS = 10


def gates_table(gates: Sequence[Gate]) -> Table:
    """Creates the table of the gates: those of the whole model and of all rows, and the scenarios that did not pass.

    Args:
        gates: Results of the gates.
    """
    table = Table(title="Gates", title_justify="left")
    for name in ("gate", "output", "slice"):
        table.add_column(name)
    for name in ("value", "bound", "served model", "interval"):
        table.add_column(name, justify="right")
    table.add_column("result")
    shown = [gate for gate in gates if not gate.slice]
    scenarios = [gate for gate in gates if gate.slice]
    shown += [gate for gate in scenarios if gate.status != PASSED][:_MOST_SCENARIOS]
    for gate in shown:
        style = _STYLES[gate.status]
        table.add_row(
            gate.name,
            gate.output,
            gate.slice or "all",
            _number(gate.value),
            gate.bound,
            _number(gate.baseline),
            "" if gate.interval is None else f"[{gate.interval[0]:.4g}, {gate.interval[1]:.4g}]".replace("[", r"\["),
            f"[{style}]{gate.status}[/{style}]",
        )
    return table


def scenario_count(gates: Sequence[Gate]) -> str:
    """Returns a sentence with the number of gates of scenarios, most of which the table leaves out; empty without any.

    Args:
        gates: Results of the gates.
    """
    scenarios = [gate for gate in gates if gate.slice]
    if not scenarios:
        return ""
    passed = sum(gate.status == PASSED for gate in scenarios)
    return f"{passed:,} of {len(scenarios):,} gates of scenarios passed."


def refusal(gates: Sequence[Gate]) -> str:
    """Returns the sentence that names the gates which failed and why; empty if none did.

    Args:
        gates: Results of the gates.
    """
    reasons = [gate.reason or gate.title for gate in failed(gates)]
    if not reasons:
        return ""
    more = f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    return f"The model was not pushed: {'; '.join(reasons[:3])}{more}."


def _number(value: float) -> str:
    if math.isnan(value):
        return ""
    return f"{value:,.0f}" if value == int(value) and abs(value) >= 10 else f"{value:.4g}"
