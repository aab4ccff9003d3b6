"""Results of the days of a week, and their table."""

import dataclasses
import json
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rich.table import Table

from pipelines.commands.data_checks import REFUSED
from pipelines.commands.run import NOT_BLESSED
from pipelines.evaluation.records import read_gates, read_measured
from pipelines.evaluation.results import OVERALL
from pipelines.gates.gate import PASSED, Gate, failed
from pipelines.runners.history.runs import read_runs
from pipelines.runners.lineage import latest_run
from pipelines.runners.local import RunPaths
from tfmtl.training.vocabularies import read_vocabularies

OUTCOMES: Mapping[int, str] = {0: "pushed", REFUSED: "log refused", NOT_BLESSED: "model refused"}
"""Outcome of a run by its exit code."""


@dataclasses.dataclass(frozen=True)
class Day:
    """Result of a day.

    Attributes:
        day: Date of the day.
        rows: Number of rows of its log.
        exit_code: Exit code of its run.
        reason: Reason for which the log or the model was refused; else the number of gates that passed.
        version: Version that is served after the run.
        users: Number of users in the vocabulary of the trained model; 0 if none was trained.
        auc: AUC by output on the day's test rows, of the model that is served after the run; empty if there was no
            evaluation.
        refused_auc: The same for a model that was refused.
    """

    day: str
    rows: int
    exit_code: int
    reason: str
    version: int
    users: int = 0
    auc: Mapping[str, float] = dataclasses.field(default_factory=dict)
    refused_auc: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """Outcome of the run in words."""
        return OUTCOMES.get(self.exit_code, f"exit code {self.exit_code}")


def read_day(paths: RunPaths, day: str, rows: int, exit_code: int, served: int) -> Day:
    """Reads the result of the latest run.

    Args:
        paths: Paths of the run folder.
        day: Date of the day.
        rows: Number of rows of its log.
        exit_code: Exit code of the run.
        served: Version that was served before the run.
    """
    record = read_runs(paths.root)[-1].record
    if record.blessed is None:
        return Day(day, rows, exit_code, record.error, served)
    run = latest_run(paths.metadata)
    folder = run.uri("Evaluator", "evaluation")
    measured = [one for one in read_measured(folder) if one.slice == OVERALL]
    new, old = ({one.output: getattr(one, name) for one in measured} for name in ("auc", "baseline_auc"))
    gates = read_gates(folder)
    passed = sum(gate.status == PASSED for gate in gates)
    users = len(read_vocabularies(run.uri("Trainer", "model_run"))["user_id"])
    if record.blessed:
        version = int(record.pushed_version or served)
        return Day(day, rows, exit_code, f"{passed} gates passed", version, users, new)
    return Day(day, rows, exit_code, _reason(gates), served, users, old, new)


def _reason(gates: Sequence[Gate]) -> str:
    """Returns the reason of the first gate that failed, and the number of the others; the run has printed all."""
    first, *others = failed(gates)
    more = f"; and {len(others)} more" if others else ""
    return f"{first.reason or first.title}{more}"


def results_table(days: Sequence[Day], outputs: Sequence[str]) -> Table:
    """Creates the table of a week.

    Args:
        days: Results of the days.
        outputs: Names of the outputs.
    """
    title = "AUC on the test rows of each day, of the version that is served after its run"
    table = Table(title=title, title_justify="left")
    for column in ("day", "rows", "outcome", "reason", "version", "users"):
        justify: Literal["left", "right"] = "right" if column in ("rows", "users") else "left"
        table.add_column(column, justify=justify, overflow="fold")
    for output in outputs:
        table.add_column(output, justify="right")
    for one in days:
        aucs = [one.auc.get(output, math.nan) for output in outputs]
        cells = ["" if math.isnan(auc) else f"{auc:.3f}" for auc in aucs]
        users = f"{one.users:,}" if one.users else ""
        table.add_row(one.day, f"{one.rows:,}", one.outcome, one.reason, str(one.version), users, *cells)
    return table


def write_json(days: Sequence[Day], answers: Mapping[int, int], failures: Sequence[str], path: pathlib.Path) -> None:
    """Writes the results of a week.

    Args:
        days: Results of the days.
        answers: Number of answers of the server by version.
        failures: Messages of the requests that were not answered.
        path: File to write.
    """
    plain: dict[str, Any] = {"days": [{**dataclasses.asdict(one), "outcome": one.outcome} for one in days]}
    plain |= {"answers": {str(version): count for version, count in answers.items()}, "failures": list(failures)}
    path.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
