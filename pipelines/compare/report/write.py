"""Writes a comparison's table and figures: Markdown, CSV, JSON and PNG."""

import dataclasses
import json
import os
import pathlib
import platform
import subprocess
from typing import Any

from pipelines.compare.jobs import code
from pipelines.compare.metrics.evaluate import monitored
from pipelines.compare.plan.candidates import Comparison
from pipelines.compare.report import figures
from pipelines.compare.report.claims import judge
from pipelines.compare.report.records import defined, records, write_csv
from pipelines.compare.report.scenario_sheets import scenario_note, scenario_records, scenario_sheets
from pipelines.compare.report.sheets import Sheet, claim_sheet, cost_sheet, output_sheets, paper_sheet, trial_sheet
from pipelines.compare.report.table import ORACLE, ResultTable
from pipelines.compare.runs.runner import Outcome
from pipelines.compare.runs.store import Result
from pipelines.compare.runs.time_estimate import duration
from pipelines.terminal import log_level
from tfmtl.config import to_plain

PAGE, CSV, JSON = "results.md", "results.csv", "results.json"
FORMULAS = {
    "difference": "m - r, as in MAN's table 1 and AdaFTR's table 4",
    "relative": "(m - r) / r, as in APEM's table 3; of an error (r - m) / r, as M2M's section 5.2 has it",
    "relaimpr": "RelaImpr, (m - 0.5) / (r - 0.5) - 1; of an error (r - m) / r",
}


@dataclasses.dataclass(frozen=True)
class Origin:
    """How a report came about.

    Attributes:
        command: as it was typed.
        rows: of the data by split.
        data: the fingerprint of the data.
    """

    command: str
    rows: dict[str, int]
    data: str


def sheets(comparison: Comparison, table: ResultTable, outcome: Outcome) -> list[Sheet]:
    """The tables, as a terminal and the page show them."""
    settings, spec = comparison.settings, comparison.spec
    found = [*output_sheets(settings, spec, table), *scenario_sheets(spec, table)]
    if settings.claims:
        found.append(claim_sheet(judge(settings, spec, table)))
    found.append(cost_sheet(table))
    trials = _trials(comparison, outcome)
    if trials:
        found.append(trial_sheet(trials, comparison.monitor))
    return [*found, *(paper_sheet(paper) for paper in settings.papers)]


def notes(comparison: Comparison, table: ResultTable, outcome: Outcome, rows: int) -> list[str]:
    """What a reader has to know besides: how the numbers are computed, and what is missing."""
    settings = comparison.settings
    found = [
        f"Mean ± standard deviation (n - 1) over the seeds {', '.join(map(str, settings.seeds))}, on the {rows:,} rows "
        "of the test split, each output on its space.",
        f"Gain of m over r = {settings.reference}: {FORMULAS[settings.gain]}; of the means.",
    ]
    if settings.tested:
        found.append(
            "p: two-sided paired t-test over the seeds against the best of the baselines "
            f"{', '.join(settings.baselines)} by mean, of those that have all seeds, with Holm's correction "
            f"over the tests of all outputs of {', '.join(settings.tested)}. "
            "One star: below .05 and better; two: below .01; `worse`: below .05 and worse."
        )
    if settings.claims:
        found.append(
            "A claim holds where the row is better than each of the others with a p below .05: the largest of the "
            "paired t-tests' p (an intersection-union test), with Holm's correction over the claims. It does not hold "
            "where the row is worse than the best of the others with a p below .05: that one's, times the number of "
            "the others, with Holm's correction. Else it is not shown; where a row or a seed is missing, it is not run."
        )
    if ORACLE in table.rows:
        found.append(
            "The oracle scores every row with its true probability or rate: no model can do better. "
            "Of the lift: the share of the oracle's AUC above 0.5 that the mean reaches."
        )
    if table.scenarios is not None:
        found.append(scenario_note(comparison.spec, table.scenarios))
    codes, now = {run.code for run in _all_runs(outcome)}, code()
    if codes - {now}:
        by = ", ".join(sorted(codes))
        found.append(f"The commit is of the code that wrote this report ({now}); the runs were made by the code {by}.")
    if outcome.failed:
        found.append(f"FAILED: {'; '.join(job.title for job in outcome.failed)}.")
    if outcome.missing:
        found.append(f"NOT RUN YET: {'; '.join(job.title for job in outcome.missing)}.")
    return found


def write_report(
    folder: pathlib.Path, comparison: Comparison, table: ResultTable, outcome: Outcome, origin: Origin
) -> None:
    """Writes `results.md`, `results.csv`, `results.json` and the figures; a folder that is not there is made."""
    folder.mkdir(parents=True, exist_ok=True)
    settings, spec = comparison.settings, comparison.spec
    table_records, by_scenario = records(spec, table), scenario_records(spec, table)
    write_csv(folder / CSV, [*table_records, *by_scenario])
    plain: dict[str, Any] = {
        "settings": to_plain(settings),
        "command": origin.command,
        "commit": commit(),
        "data": {"fingerprint": origin.data, "rows": origin.rows},
        "records": table_records,
        "scenario_records": by_scenario,
        "runs": [defined(dataclasses.asdict(run)) for results in outcome.runs.values() for run in results],
    }
    (folder / JSON).write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    with log_level("error"):  # matplotlib says which fonts it looks for.
        drawn = {
            figures.GAINS: figures.gains(settings, spec, table),
            figures.COST: figures.cost(spec, table),
            figures.CURVES: figures.curves(outcome.runs, comparison.monitor),
            figures.SELECTION: figures.selection(spec, table),
        }
        there = {name: figure for name, figure in drawn.items() if figure is not None}
        for name, figure in there.items():
            figures.save(figure, folder / name)
    (folder / PAGE).write_text(_page(comparison, table, outcome, origin, list(there)), encoding="utf-8")


def commit() -> str:
    """The commit of the source, with `+` where files were changed since; empty where git knows of none."""
    folder = pathlib.Path(__file__).parent
    try:
        command = ["git", "-C", str(folder), "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""


def _page(comparison: Comparison, table: ResultTable, outcome: Outcome, origin: Origin, figure_names: list[str]) -> str:
    results = _all_runs(outcome)
    seconds = sum(run.seconds for run in results)
    machine = f"{os.cpu_count()} CPU cores ({platform.machine()}), Python {platform.python_version()}"
    of_rows = ", ".join(f"{count:,} {split}" for split, count in origin.rows.items())
    parts = [
        f"# {comparison.settings.name}\n",
        "Written by the command; not edited.\n",
        f"- Command: `{origin.command}`\n- Commit: {commit() or 'unknown'}\n"
        f"- Data: {comparison.spec.name}, rows: {of_rows} (fingerprint {origin.data})\n"
        f"- Time: {duration(seconds)} for {len(results)} runs, one at a time, on {machine}\n",
        *(sheet.markdown() for sheet in sheets(comparison, table, outcome)),
        "\n".join(f"- {note}" for note in notes(comparison, table, outcome, origin.rows["test"])) + "\n",
        *(f"![{name.removesuffix('.png')}]({name})\n" for name in figure_names),
    ]
    return "\n".join(parts)


def _all_runs(outcome: Outcome) -> list[Result]:
    """Those of the table and the trials."""
    return [run for by_row in (outcome.runs, outcome.trials) for results in by_row.values() for run in results]


def _trials(comparison: Comparison, outcome: Outcome) -> list[tuple[str, int, str, float, bool]]:
    """The arguments of `trial_sheet`."""
    found = []
    for candidate in comparison.candidates:
        for run in outcome.trials.get(candidate.row, []):
            number = int(run.job.trial or 0)
            drawn = ", ".join(f"{name} {_value(run.job, name)}" for name in candidate.space)
            value = monitored(comparison.spec, run.metrics["eval"], comparison.monitor)
            shown = value if comparison.monitor.endswith("_auc") else -value
            found.append((candidate.row, number, drawn, shown, outcome.chosen.get(candidate.row) == number))
    return found


def _value(job: Any, name: str) -> str:
    value: Any = {"options": job.options, "training": job.training}
    for part in name.split("."):
        value = value[part]
    return f"{value:.4g}" if isinstance(value, float) else str(value)
