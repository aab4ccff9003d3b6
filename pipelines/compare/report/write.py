"""Report of a comparison: tables and figures as Markdown, CSV, JSON and PNG."""

import dataclasses
import json
import os
import pathlib
import platform
import subprocess
from typing import Any

from pipelines.compare.jobs import run_code_hash
from pipelines.compare.plan.candidates import Comparison
from pipelines.compare.report import figures
from pipelines.compare.report.claims import judge_claims
from pipelines.compare.report.health_sheets import dead_notes, health_sheets
from pipelines.compare.report.records import make_records, nan_to_none, write_csv
from pipelines.compare.report.scenario_sheets import scenario_note, scenario_records, scenario_sheets
from pipelines.compare.report.search_sheets import code_note, search_line, search_sheets, unique_records
from pipelines.compare.report.sheets import Sheet, claim_sheet, cost_sheet, output_sheets, paper_sheet
from pipelines.compare.report.table import ORACLE, ResultTable
from pipelines.compare.runs.outcome import Outcome
from pipelines.library_messages import log_level
from pipelines.progress.duration import duration
from pipelines.report.comparison_report import write_comparison_report
from tfmtl.config import to_plain
from transforms.storage.atomic import atomic_file

PAGE, CSV, JSON = "results.md", "results.csv", "results.json"
GAIN_FORMULAS = {
    "difference": "m - r, as in table 1 of MAN and table 4 of AdaFTR",
    "relative": "(m - r) / r, as in table 3 of APEM; for an error (r - m) / r, as in section 5.2 of M2M",
    "relaimpr": "RelaImpr, (m - 0.5) / (r - 0.5) - 1; for an error (r - m) / r",
}


@dataclasses.dataclass(frozen=True)
class Origin:
    """Origin of a report.

    Attributes:
        command: Command line.
        rows: Number of rows by split.
        data: Fingerprint of the data.
    """

    command: str
    rows: dict[str, int]
    data: str


def make_sheets(comparison: Comparison, table: ResultTable, outcome: Outcome) -> list[Sheet]:
    """Creates the tables that the terminal and the page show.

    Args:
        comparison: The comparison.
        table: Numbers of the comparison.
        outcome: Runs of the comparison.
    """
    settings, spec = comparison.settings, comparison.spec
    sheets = [*output_sheets(settings, spec, table), *scenario_sheets(spec, table)]
    if settings.claims:
        sheets.append(claim_sheet(judge_claims(settings, spec, table)))
    sheets.append(cost_sheet(table))
    sheets += health_sheets(outcome.runs)
    sheets += search_sheets(comparison, outcome)
    return [*sheets, *(paper_sheet(paper) for paper in settings.papers)]


def make_notes(comparison: Comparison, table: ResultTable, outcome: Outcome, rows: int) -> list[str]:
    """Creates the notes below the tables: how the numbers are computed, and which runs are missing.

    Args:
        comparison: The comparison.
        table: Numbers of the comparison.
        outcome: Runs of the comparison.
        rows: Number of rows of the test split.
    """
    settings = comparison.settings
    notes = [
        f"Mean ± standard deviation (n - 1) over the seeds {', '.join(map(str, settings.seeds))}, on the {rows:,} rows "
        "of the test split, each output on its space.",
        f"Gain of the mean m over the mean r of {settings.reference}: {GAIN_FORMULAS[settings.gain]}.",
    ]
    if settings.tested:
        notes.append(
            "p: p-value of the two-sided paired t-test over the seeds, against the baseline with the best mean among "
            f"those with all seeds ({', '.join(settings.baselines)}), with Holm's correction over the tests of all "
            f"outputs of {', '.join(settings.tested)}. `*`: better, p below .05; `**`: better, p below .01; `worse`: "
            "worse, p below .05."
        )
    if settings.claims:
        notes.append(
            "A claim holds if its row is better than each of the other rows with p below .05; p is the largest p-value "
            "of the paired t-tests (an intersection-union test), with Holm's correction over the claims. It does not "
            "hold if its row is worse than the best of the other rows with p below .05; p is the p-value against that "
            "row times the number of other rows, with Holm's correction. Otherwise it is not shown; if a row or a seed "
            "is missing, it is not run."
        )
    if any(claim.margin for claim in settings.claims):
        notes.append(
            "A claim with a margin is one of non-inferiority: the tests give its row the margin as an advantage. It "
            "holds if the row is not worse than each of the other rows by as much as the margin, with p below .05."
        )
    if ORACLE in table.rows:
        notes.append(
            "The oracle scores every row with its true probability or rate; no model is better in expectation. "
            "Lift over the oracle: the mean AUC above 0.5 as a share of the oracle's AUC above 0.5; of a value, the "
            "ratio of the Gini coefficients."
        )
    if table.scenarios is not None:
        notes.append(scenario_note(comparison.spec, table.scenarios))
    notes += dead_notes(outcome.runs)
    threads = {run.threads for runs in outcome.runs.values() for run in runs}
    if len(threads) > 1:
        notes.append(
            f"Runs computed with different numbers of threads ({', '.join(map(_threads_text, sorted(threads)))}): "
            "their seconds are not comparable, and scores with another number may differ in the last digits."
        )
    codes, current = {run.code for runs in outcome.runs.values() for run in runs}, run_code_hash()
    if codes - {current}:
        notes.append(
            f"The commit is that of the code that wrote this report ({current}); the code of the runs is "
            f"{', '.join(sorted(codes))}."
        )
    if note := code_note(outcome):
        notes.append(note)
    if outcome.failed:
        notes.append(f"FAILED: {'; '.join(job.title for job in outcome.failed)}.")
    if outcome.missing:
        notes.append(f"NOT RUN YET: {'; '.join(job.title for job in outcome.missing)}.")
    return notes


def write_report(
    folder: pathlib.Path, comparison: Comparison, table: ResultTable, outcome: Outcome, origin: Origin
) -> None:
    """Writes `results.md`, `results.csv`, `results.json`, the figures, and `report.html` for a browser.

    Args:
        folder: Folder to write to; it is created if it does not exist.
        comparison: The comparison.
        table: Numbers of the comparison.
        outcome: Runs of the comparison.
        origin: Command and data.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings, spec = comparison.settings, comparison.spec
    records, records_by_scenario = make_records(spec, table), scenario_records(spec, table)
    write_csv(folder / CSV, [*records, *records_by_scenario])
    plain: dict[str, Any] = {
        "settings": to_plain(settings),
        "monitor": comparison.monitor,
        "command": origin.command,
        "commit": commit(),
        "data": {"fingerprint": origin.data, "rows": origin.rows},
        "records": records,
        "scenario_records": records_by_scenario,
        "runs": [nan_to_none(run.to_plain()) for results in outcome.runs.values() for run in results],
    }
    with atomic_file(folder / JSON) as written:  # The runs of the next comparison are read from it.
        pathlib.Path(written).write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    with log_level("error"):  # matplotlib logs its search for fonts.
        plots = {
            figures.GAINS: figures.plot_gains(settings, spec, table),
            figures.COST: figures.plot_cost(spec, table),
            figures.CURVES: figures.plot_curves(outcome.runs, comparison.monitor, settings.baselines),
            figures.SELECTION: figures.plot_selection(spec, table),
        }
        names = [name for name, figure in plots.items() if figure is not None]
        for name, figure in plots.items():
            if figure is not None:
                figures.save(figure, folder / name)
    (folder / PAGE).write_text(_page(comparison, table, outcome, origin, names), encoding="utf-8")
    write_comparison_report(folder / JSON)


def commit() -> str:
    """Returns the commit of the source, with `+` if files have changed since; empty outside a git repository."""
    folder = pathlib.Path(__file__).parent
    try:
        command = ["git", "-C", str(folder), "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _threads_text(threads: int) -> str:
    return str(threads) if threads else "one for each core"


def _page(comparison: Comparison, table: ResultTable, outcome: Outcome, origin: Origin, figure_names: list[str]) -> str:
    settings = comparison.settings
    runs = [run for results in outcome.runs.values() for run in results]
    trials = unique_records(outcome)
    seconds = sum(run.seconds for run in runs) + sum(trial.seconds for trial in trials)
    counted = f"{len(runs)} runs" + (f" and {len(trials)} trials" if trials else "")
    order = "one after another" if settings.jobs == 1 else f"{settings.jobs} at a time with one thread each"
    machine = f"{os.cpu_count()} CPU cores ({platform.machine()}), Python {platform.python_version()}"
    split_rows = ", ".join(f"{count:,} {split}" for split, count in origin.rows.items())
    parts = [
        f"# {settings.name}\n",
        "Written by the command; not edited.\n",
        f"- Command: `{origin.command}`\n- Commit: {commit() or 'unknown'}\n"
        f"- Data: {comparison.spec.name}, rows: {split_rows} (fingerprint {origin.data})\n"
        f"- Seeds: {', '.join(map(str, settings.seeds))}\n- Search: {search_line(settings, comparison.monitor)}\n"
        f"- Time: {duration(seconds)} in all of {counted}, {order}, on {machine}\n",
        *(sheet.markdown() for sheet in make_sheets(comparison, table, outcome)),
        "\n".join(f"- {note}" for note in make_notes(comparison, table, outcome, origin.rows["test"])) + "\n",
        *(f"![{name.removesuffix('.png')}]({name})\n" for name in figure_names),
    ]
    return "\n".join(parts)
