"""Command `tfmtl compare`: trains several models with several seeds and prints one table."""

import dataclasses
import pathlib
import shlex
import sys
import threading
from collections.abc import Callable

from pipelines.compare.jobs import NO_SEED, Job, run_code_hash
from pipelines.compare.metrics.evaluate import evaluate
from pipelines.compare.metrics.scenarios import ScenarioMetrics, evaluate_scenarios, make_scenario_table
from pipelines.compare.plan.candidates import Comparison
from pipelines.compare.report.records import make_records
from pipelines.compare.report.scenario_sheets import scenario_records
from pipelines.compare.report.table import ORACLE, ResultTable, make_table
from pipelines.compare.report.write import JSON, PAGE, Origin, make_notes, make_sheets, write_report
from pipelines.compare.runs.outcome import Outcome
from pipelines.compare.runs.progress import RunProgress
from pipelines.compare.runs.published import read_published
from pipelines.compare.runs.result import Result
from pipelines.compare.runs.runner import Execute, Runner
from pipelines.compare.runs.store import RunStore, lock_runs
from pipelines.compare.runs.subprocesses import run_in_subprocess
from pipelines.compare.runs.trial_records import TRIALS, TrialRecords
from pipelines.fork_server import TRAINING_LIBRARIES, ForkServer
from pipelines.output.invocation import present
from pipelines.preparation import LOG, prepare, simulated_log
from pipelines.prepared.prepared import Prepared
from pipelines.prepared.row_sample import write_sample
from pipelines.terminal import ComponentProgress, console, working
from pipelines.worker_process import ONE_THREAD

RUNS, REPORT = "runs", "report"


@dataclasses.dataclass(frozen=True)
class CompareArguments:
    """Arguments of the command line.

    Attributes:
        out: Folder of the comparison; by default `runs/<name>`.
        report: Folder of the report; by default `<out>/report`.
        any_code: Also uses finished runs of other versions of the code.
        kept_only: Trains nothing, and reports the finished runs.
    """

    out: str | None = None
    report: str | None = None
    any_code: bool = False
    kept_only: bool = False


@dataclasses.dataclass(frozen=True)
class Compared:
    """Result of a comparison.

    Attributes:
        table: Numbers of the comparison.
        outcome: Its runs.
    """

    table: ResultTable
    outcome: Outcome


def compare_models(comparison: Comparison, arguments: CompareArguments) -> Compared:
    """Runs what is missing of a comparison, prints its table and writes its report.

    Args:
        comparison: The validated comparison.
        arguments: Arguments of the command line.

    Returns:
        The result. Runs that failed are in its outcome.

    Raises:
        ConfigError: If another comparison uses the folder, or a line of the report's trials is not a record.
    """
    root = pathlib.Path(arguments.out) if arguments.out else pathlib.Path("runs") / comparison.settings.name
    console.print(f"comparison {comparison.settings.name!r} -> {root}", highlight=False)
    with lock_runs(root / RUNS):  # Held until the report is written: it also protects the log and the prepared data.
        return _compare(comparison, arguments, root)


def _compare(comparison: Comparison, arguments: CompareArguments, root: pathlib.Path) -> Compared:
    report = pathlib.Path(arguments.report) if arguments.report else root / REPORT
    records = TrialRecords(report / TRIALS)
    if records.note:
        console.print(records.note, style="yellow", highlight=False, markup=False)
    comparison, data = _prepare_data(comparison, root)
    by_scenario = comparison.spec.scenario is not None
    published = read_published(report / JSON, data.fingerprint, by_scenario=by_scenario)
    store = RunStore(root / RUNS, data.fingerprint, None if arguments.any_code else run_code_hash(), published)
    at_a_time = comparison.settings.jobs
    progress = RunProgress(console, comparison.spec, at_a_time, data.rows.get("train", 0))
    with ForkServer(TRAINING_LIBRARIES, ONE_THREAD if at_a_time > 1 else {}) as workers:
        execute = None if arguments.kept_only else _in_workers(data, store, workers)
        outcome = Runner(comparison, store, execute, progress, records).run()
    table = _make_table(comparison, data, store, outcome)
    _print_and_write(comparison, data, table, outcome, report)
    for job in outcome.failed:
        console.print(f"{job.title} failed; its output: {store.root / job.key(store.data)}.log", highlight=False)
    return Compared(table, outcome)


def _in_workers(data: Prepared, store: RunStore, workers: ForkServer) -> Execute:
    sampling = threading.Lock()

    def execute(job: Job, on_line: Callable[[str], object]) -> None:
        with sampling:
            write_sample(data, job.rows_fraction)
        run_in_subprocess(job, data, store, on_line, workers.run)

    return execute


def _prepare_data(comparison: Comparison, root: pathlib.Path) -> tuple[Comparison, Prepared]:
    base = comparison.base
    if not base.data.path:
        with working("simulating the log ..."):
            log = simulated_log(base, root / LOG)
        base = dataclasses.replace(base, data=dataclasses.replace(base.data, path=str(log)))
    data = prepare(base, root, ComponentProgress(console))
    rows = ", ".join(f"{count:,} {split}" for split, count in data.rows.items())
    console.print(f"rows: {rows}", highlight=False)
    return dataclasses.replace(comparison, base=base), data


def _make_table(comparison: Comparison, data: Prepared, store: RunStore, outcome: Outcome) -> ResultTable:
    """Computes the table; runs that were kept without metrics by scenario are evaluated from their kept scores."""
    spec, columns, truth = comparison.spec, data.columns("test"), data.truth()
    oracle = None if truth is None else evaluate(spec, columns, truth, truth)
    table = make_table(comparison.settings, spec, outcome.runs, oracle)

    def scenarios_of(run: Result) -> ScenarioMetrics:
        has_them = bool(run.scenarios) or columns.scenarios is None
        return run.scenarios if has_them else evaluate_scenarios(spec, columns, store.scores(run.job))

    by_row = {row: {run.job.seed: scenarios_of(run) for run in runs} for row, runs in outcome.runs.items()}
    if truth is not None:
        by_row[ORACLE] = {NO_SEED: evaluate_scenarios(spec, columns, truth)}
    return dataclasses.replace(table, scenarios=make_scenario_table(spec, columns, by_row))


def _print_and_write(
    comparison: Comparison, data: Prepared, table: ResultTable, outcome: Outcome, folder: pathlib.Path
) -> None:
    notes = make_notes(comparison, table, outcome, data.rows["test"])
    document = {
        "name": comparison.settings.name,
        "rows": data.rows,
        "records": make_records(comparison.spec, table),
        "scenario_records": scenario_records(comparison.spec, table),
        "notes": notes,
        "failed": [job.title for job in outcome.failed],
        "report": folder / PAGE,
    }
    sheets = [sheet.rich() for sheet in make_sheets(comparison, table, outcome)]
    present({"comparisons": [document]}, *sheets, *(f"- {note}" for note in notes))
    origin = Origin(_command(), data.rows, data.fingerprint)
    write_report(folder, comparison, table, outcome, origin)
    console.print(f"table and figures -> {folder / PAGE}", highlight=False)


def _command() -> str:
    return shlex.join([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]])
