"""Progress of a comparison on the terminal: a line for each run, the running ones, and the remaining time."""

import time
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape

from pipelines.compare.jobs import Job
from pipelines.compare.metrics.evaluate import main_metric
from pipelines.compare.runs.result import Result
from pipelines.compare.runs.time_estimate import Estimate
from pipelines.progress.bars import EPOCH_ROWS, Bars
from pipelines.progress.duration import duration
from tfmtl.spec import DatasetSpec

_ALL = "all runs"
"""Key of the bar of all runs."""


class RunProgress:
    """Prints a line when a run ends, and shows the last lines of the running ones. A `RunObserver`.

    Args:
        console: Console to print to.
        spec: Spec of the dataset.
        at_a_time: Number of runs at a time.
        epoch_rows: Number of training rows; 0 if it is not known.
    """

    def __init__(self, console: Console, spec: DatasetSpec, at_a_time: int = 1, epoch_rows: int = 0):
        self._console = console
        self._spec = spec
        self._at_a_time = at_a_time
        self._estimate = Estimate()
        self._remaining_jobs: list[Job] = []
        self._done = self._total = 0
        self._bars = Bars(console, {EPOCH_ROWS: epoch_rows})
        self._starts: dict[Job, float] = {}

    def plan(self, jobs: Sequence[Job], kept: Mapping[Job, float]) -> None:
        """Prints the number of runs.

        Args:
            jobs: Jobs that will be run.
            kept: Seconds of the runs that were finished before.
        """
        for job, seconds in kept.items():
            self._estimate.add(job, seconds)
        self._remaining_jobs, self._done, self._total = list(jobs), len(kept), len(jobs) + len(kept)
        if self._total:
            kept_part = f", {self._done} of them finished before" if self._done else ""
            text = f"{_counted(self._total, [*jobs, *kept])}{kept_part}{self._remaining_time()}"
            self._console.print(text, highlight=False)

    def start(self, job: Job) -> None:
        """Shows the running job.

        Args:
            job: Job of the run.
        """
        self._starts[job] = time.monotonic()
        self._bars.start()
        self._show_all()
        self._bars.show(job.title, f"{job.title} ...")

    def line(self, job: Job, text: str) -> None:
        """Shows the last line of a running job.

        Args:
            job: Job of the run.
            text: The line.
        """
        if job in self._starts:
            self._bars.show(job.title, f"{job.title}: {text.strip()}")

    def end(self, job: Job, result: Result | None, error: str = "") -> None:
        """Prints the metrics of a finished run, or the error of a failed one.

        Args:
            job: Job of the run.
            result: Result of the run; None if it failed.
            error: Last lines that a failed run printed.
        """
        self._bars.remove(job.title)
        seconds = time.monotonic() - self._starts.pop(job, time.monotonic())
        self._remaining_jobs = [other for other in self._remaining_jobs if other != job]
        self._done += 1
        if not self._starts:
            self._bars.stop()
        self._show_all()
        if result is None:
            failed = escape(f"  {job.title:<28} failed: {_last_line(error)}")
            self._console.print(failed, style="bold red", highlight=False)
            return
        self._estimate.add(job, seconds)
        count = f"{self._done}/{self._total}"
        line = f"  {count:>7}  {job.title:<28} {seconds:6.1f} s  {self._metrics(result)}{self._remaining_time()}"
        self._console.print(escape(line), highlight=False)

    def _show_all(self) -> None:
        left = self._remaining_time().strip()
        self._bars.show(_ALL, _ALL, self._done, self._total, f"{self._done} of {self._total} runs  {left}".strip())

    def _metrics(self, result: Result) -> str:
        """Returns the main metrics: of the test split, of a trial those of the eval split."""
        metrics = result.metrics.get(result.job.splits[-1])
        if metrics is None:
            return "its scores are not finite"
        shown = "  ".join(f"{o.name} {metrics[o.name][main_metric(self._spec, o)]:.4f}" for o in self._spec.outputs)
        return shown if result.job.trial is None else f"eval {shown}"

    def _remaining_time(self) -> str:
        seconds = self._estimate.remaining(self._remaining_jobs)
        return f"  about {duration(seconds / self._at_a_time)} left" if seconds else ""


def _counted(total: int, jobs: Sequence[Job]) -> str:
    kind = f"{'run' if jobs[0].trial is None else 'trial'}{'' if total == 1 else 's'}"
    share = jobs[0].rows_fraction
    return f"{total} {kind}" if share == 1 else f"{total} {kind} on {100 * share:.0f} % of the rows"


def _last_line(error: str) -> str:
    lines = error.strip().splitlines()
    return lines[-1] if lines else "it was killed"
