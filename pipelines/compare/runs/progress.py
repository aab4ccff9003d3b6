"""Progress of a comparison on the terminal: a line for each run, the running one, and the remaining time."""

import time
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from pipelines.compare.jobs import Job
from pipelines.compare.metrics.evaluate import main_metric
from pipelines.compare.runs.result import Result
from pipelines.compare.runs.time_estimate import Estimate, duration
from tfmtl.spec import DatasetSpec


class RunProgress:
    """Prints a line when a run ends, and shows the last line of the running one. A `RunObserver`.

    Args:
        console: Console to print to.
        spec: Spec of the dataset.
    """

    def __init__(self, console: Console, spec: DatasetSpec):
        self._console = console
        self._spec = spec
        self._estimate = Estimate()
        self._remaining_jobs: list[Job] = []
        self._done = self._total = 0
        self._status: Status | None = None
        self._start = 0.0

    def plan(self, jobs: Sequence[Job], kept: Sequence[Result]) -> None:
        """Prints the number of runs.

        Args:
            jobs: Jobs that will be run.
            kept: Results of the runs that were finished before.
        """
        for result in kept:
            self._estimate.add(result.job, result.seconds)
        self._remaining_jobs, self._done, self._total = list(jobs), len(kept), len(jobs) + len(kept)
        if self._total:
            kind = "trials" if any(job.trial is not None for job in [*jobs, *(r.job for r in kept)]) else "runs"
            kept_part = f", {self._done} of them finished before" if self._done else ""
            self._console.print(f"{self._total} {kind}{kept_part}{self._remaining_time()}", highlight=False)

    def start(self, job: Job) -> None:
        """Shows the running job.

        Args:
            job: Job of the run.
        """
        self._start = time.monotonic()
        self._status = self._console.status(escape(f"{job.title} ..."))
        self._status.start()

    def line(self, job: Job, text: str) -> None:
        """Shows the last line of the running job.

        Args:
            job: Job of the run.
            text: The line.
        """
        if self._status is not None:
            self._status.update(escape(f"{job.title}: {text.strip()[:80]}"))

    def end(self, job: Job, result: Result | None, error: str = "") -> None:
        """Prints the metrics of a finished run, or the error of a failed one.

        Args:
            job: Job of the run.
            result: Result of the run; None if it failed.
            error: Last lines that a failed run printed.
        """
        if self._status is not None:
            self._status.stop()
        seconds = time.monotonic() - self._start
        self._remaining_jobs = [other for other in self._remaining_jobs if other.title != job.title]
        self._done += 1
        if result is None:
            failed = escape(f"  {job.title:<28} failed: {_last_line(error)}")
            self._console.print(failed, style="bold red", highlight=False)
            return
        self._estimate.add(job, seconds)
        count = f"{self._done}/{self._total}"
        line = f"  {count:>7}  {job.title:<28} {seconds:6.1f} s  {self._metrics(result)}{self._remaining_time()}"
        self._console.print(escape(line), highlight=False)

    def _metrics(self, result: Result) -> str:
        test = result.metrics["test"]
        return "  ".join(f"{o.name} {test[o.name][main_metric(self._spec, o)]:.4f}" for o in self._spec.outputs)

    def _remaining_time(self) -> str:
        seconds = self._estimate.remaining(self._remaining_jobs)
        return f"  about {duration(seconds)} left" if seconds else ""


def _last_line(error: str) -> str:
    lines = error.strip().splitlines()
    return lines[-1] if lines else "it was killed"
