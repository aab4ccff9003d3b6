"""What `tfmtl compare` does."""

import dataclasses
import pathlib
import shlex
import sys
from collections.abc import Callable

from pipelines.compare.data.prepare import LOG, prepare, simulated_log
from pipelines.compare.data.prepared import Prepared
from pipelines.compare.jobs import NO_SEED, Job, code
from pipelines.compare.metrics.evaluate import evaluate
from pipelines.compare.metrics.scenarios import evaluate_scenarios, scenario_table
from pipelines.compare.plan.candidates import Comparison, load_comparison
from pipelines.compare.report.table import ORACLE, ResultTable, make_table
from pipelines.compare.report.write import PAGE, Origin, notes, sheets, write_report
from pipelines.compare.runs.progress import RunLines
from pipelines.compare.runs.runner import Outcome, Runner
from pipelines.compare.runs.store import RunStore, exclusive_lock
from pipelines.compare.runs.subprocesses import run_in_subprocess
from pipelines.terminal import ComponentProgress, console

RUNS, REPORT = "runs", "report"


@dataclasses.dataclass(frozen=True)
class CompareArguments:
    """What the command line says.

    Attributes:
        data: the raw log, in place of the settings'.
        out: where to keep everything; `runs/<name>` by default.
        seeds: in place of the settings'.
        report: where the table goes; `<out>/report` by default.
        any_code: kept runs of other code count too.
        kept_only: runs nothing, and shows what is kept.
    """

    data: str | None = None
    out: str | None = None
    seeds: tuple[int, ...] | None = None
    report: str | None = None
    any_code: bool = False
    kept_only: bool = False


def compare(settings_path: str, arguments: CompareArguments) -> bool:
    """Does what is left of a comparison, prints its table and writes its report. Returns whether no run failed."""
    comparison = load_comparison(settings_path, data=arguments.data, seeds=arguments.seeds)
    root = pathlib.Path(arguments.out) if arguments.out else pathlib.Path("runs") / comparison.settings.name
    console.print(f"comparison {comparison.settings.name!r} -> {root}", highlight=False)
    with exclusive_lock(
        root / RUNS
    ):  # From the first: the log and the prepared rows are of one comparison at a time, too.
        return _compare(comparison, arguments, root)


def _compare(comparison: Comparison, arguments: CompareArguments, root: pathlib.Path) -> bool:
    comparison, data = _data(comparison, root)
    store = RunStore(root / RUNS, data.fingerprint, None if arguments.any_code else code())

    def execute(job: Job, listen: Callable[[str], object]) -> None:
        run_in_subprocess(job, data, store, listen)

    watcher = RunLines(console, comparison.spec)
    outcome = Runner(comparison, store, None if arguments.kept_only else execute, watcher).run()
    table = _table(comparison, data, store, outcome)
    _show(comparison, data, table, outcome, pathlib.Path(arguments.report) if arguments.report else root / REPORT)
    for job in outcome.failed:
        console.print(f"{job.title} failed; what it printed: {store.root / job.key(store.data)}.log", highlight=False)
    return not outcome.failed


def _data(comparison: Comparison, root: pathlib.Path) -> tuple[Comparison, Prepared]:
    base = comparison.base
    if not base.data.path:
        with console.status("simulating the log ..."):
            log = simulated_log(base, root / LOG)
        base = dataclasses.replace(base, data=dataclasses.replace(base.data, path=str(log)))
    data = prepare(base, root, ComponentProgress(console))
    rows = ", ".join(f"{count:,} {split}" for split, count in data.rows.items())
    console.print(f"rows: {rows}", highlight=False)
    return dataclasses.replace(comparison, base=base), data


def _table(comparison: Comparison, data: Prepared, store: RunStore, outcome: Outcome) -> ResultTable:
    """The numbers, those by scenario too: of a run from before these were kept, of its kept scores."""
    spec, columns, truth = comparison.spec, data.columns("test"), data.truth()
    oracle = None if truth is None else evaluate(spec, columns, truth, truth)
    table = make_table(comparison.settings, spec, outcome.runs, oracle)
    by_row = {
        row: {run.job.seed: run.scenarios or evaluate_scenarios(spec, columns, store.scores(run.job)) for run in runs}
        for row, runs in outcome.runs.items()
    }
    if truth is not None:
        by_row[ORACLE] = {NO_SEED: evaluate_scenarios(spec, columns, truth)}
    return dataclasses.replace(table, scenarios=scenario_table(spec, columns, by_row))


def _show(comparison: Comparison, data: Prepared, table: ResultTable, outcome: Outcome, folder: pathlib.Path) -> None:
    for sheet in sheets(comparison, table, outcome):
        console.print(sheet.rich())
    for note in notes(comparison, table, outcome, data.rows["test"]):
        console.print(f"- {note}", highlight=False, markup=False)
    origin = Origin(_command(), data.rows, data.fingerprint)
    write_report(folder, comparison, table, outcome, origin)
    console.print(f"table and figures -> {folder / PAGE}", highlight=False)


def _command() -> str:
    return shlex.join([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]])
