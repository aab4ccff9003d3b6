"""Metrics and gates of an evaluation as JSON files."""

import json
import math
from collections.abc import Sequence
from typing import Any

from tfx.dsl.io import fileio

from pipelines.gates.gate import Gate, gates_from_json, gates_to_json
from pipelines.gates.measured import Measured

MEASURED, GATES = "metrics.json", "gates.json"
"""Names of the files in an evaluation's folder."""


def write_measured(directory: str, measured: Sequence[Measured]) -> None:
    """Writes metrics; null stands for a value that is not finite.

    Args:
        directory: Folder of the evaluation.
        measured: Metrics of each output on all rows and in each scenario.
    """
    plain = [{name: _finite(value) for name, value in vars(one).items()} for one in measured]
    fileio.makedirs(directory)
    with fileio.open(f"{directory}/{MEASURED}", "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(one) for one in plain) + "\n]\n")


def read_measured(directory: str) -> list[Measured]:
    """Reads the metrics that `write_measured` wrote.

    Args:
        directory: Folder of the evaluation.
    """
    with fileio.open(f"{directory}/{MEASURED}") as file:
        rows: list[dict[str, Any]] = json.loads(file.read())
    return [_measured(row) for row in rows]


def write_gates(directory: str, gates: Sequence[Gate]) -> None:
    """Writes the results of the gates.

    Args:
        directory: Folder of the evaluation.
        gates: Results of all gates.
    """
    with fileio.open(f"{directory}/{GATES}", "w") as file:
        file.write(gates_to_json(gates))


def read_gates(directory: str) -> list[Gate]:
    """Reads the results that `write_gates` wrote.

    Args:
        directory: Folder of the evaluation.
    """
    with fileio.open(f"{directory}/{GATES}") as file:
        return gates_from_json(file.read())


def _measured(row: dict[str, Any]) -> Measured:
    values: dict[str, Any] = {name: math.nan if value is None else value for name, value in row.items()}
    return Measured(**values)


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
