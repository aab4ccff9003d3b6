"""What a person sees while a comparison runs: a line a run, what runs now, and how long the rest will take."""

import time
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from pipelines.compare.runs.time_estimate import Estimate, duration
from pipelines.compare.metrics.evaluate import main_metric
from pipelines.compare.jobs import Job
from pipelines.compare.runs.store import Result
from tfmtl.spec import DatasetSpec


class RunLines:
    """Prints a line when a run ends, and shows the last line of the one that runs.

    Args:
        console: to write to.
        spec: of the data set.
    """

    def __init__(self, console: Console, spec: DatasetSpec):
        self._console = console
        self._spec = spec
        self._estimate = Estimate()
        self._left: list[Job] = []
        self._done = self._total = 0
        self._status: Status | None = None
        self._start = 0.0

    def plan(self, jobs: Sequence[Job], kept: Sequence[Result]) -> None:
        """See `Watcher`."""
        for result in kept:
            self._estimate.add(result.job, result.seconds)
        self._left, self._done, self._total = list(jobs), len(kept), len(jobs) + len(kept)
        if self._total:
            what = "trials" if any(job.trial is not None for job in [*jobs, *(r.job for r in kept)]) else "runs"
            before = f", {self._done} of them kept from before" if self._done else ""
            self._console.print(f"{self._total} {what}{before}{self._remaining()}", highlight=False)

    def start(self, job: Job) -> None:
        """See `Watcher`."""
        self._start = time.monotonic()
        self._status = self._console.status(escape(f"{job.title} ..."))
        self._status.start()

    def line(self, job: Job, text: str) -> None:
        """See `Watcher`."""
        if self._status is not None:
            self._status.update(escape(f"{job.title}: {text.strip()[:80]}"))

    def end(self, job: Job, result: Result | None, error: str = "") -> None:
        """See `Watcher`."""
        if self._status is not None:
            self._status.stop()
        seconds = time.monotonic() - self._start
        self._left = [other for other in self._left if other != job]
        self._done += 1
        if result is None:
            failed = escape(f"  {job.title:<28} failed: {_last(error)}")
            self._console.print(failed, style="bold red", highlight=False)
            return
        self._estimate.add(job, seconds)
        count = f"{self._done}/{self._total}"
        print_ = f"  {count:>7}  {job.title:<28} {seconds:6.1f} s  {self._measured(result)}{self._remaining()}"
        self._console.print(escape(print_), highlight=False)

    def _measured(self, result: Result) -> str:
        test = result.metrics["test"]
        return "  ".join(f"{o.name} {test[o.name][main_metric(self._spec, o)]:.4f}" for o in self._spec.outputs)

    def _remaining(self) -> str:
        left = self._estimate.left(self._left)
        return f"  about {duration(left)} left" if left else ""


def _last(error: str) -> str:
    lines = error.strip().splitlines()
    return lines[-1] if lines else "it was killed"
