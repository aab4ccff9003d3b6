"""Estimate of the time that the remaining runs will take."""

from collections.abc import Iterable, Sequence

from pipelines.compare.jobs import Job


class Estimate:
    """Estimates the time of runs from the finished runs: a row's next run takes the mean of its runs so far."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = {}

    def add(self, job: Job, seconds: float) -> None:
        """Adds a finished run.

        Args:
            job: Job of the run.
            seconds: Duration of the run.
        """
        self._seconds.setdefault(job.row, []).append(seconds)

    def remaining(self, jobs: Iterable[Job]) -> float | None:
        """Estimates the time of runs. A row without a finished run takes the mean of all finished runs.

        Args:
            jobs: Jobs of the runs.

        Returns:
            Seconds, or None before the first run has finished.
        """
        all_seconds = [seconds for row_seconds in self._seconds.values() for seconds in row_seconds]
        if not all_seconds:
            return None
        return sum(_mean(self._seconds.get(job.row, all_seconds)) for job in jobs)


def duration(seconds: float) -> str:
    """Formats a duration as `42 s`, `12 min` or `3.4 h`.

    Args:
        seconds: Duration in seconds.
    """
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 99.5 * 60 else f"{seconds / 3600:.1f} h"


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)
