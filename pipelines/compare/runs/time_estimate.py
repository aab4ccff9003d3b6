"""Estimate of the time that the remaining runs will take."""

from collections.abc import Iterable, Sequence

from pipelines.compare.jobs import Job


class Estimate:
    """Estimates the time of runs from finished ones on as many rows: a row's next run takes the mean of its runs."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, float], list[float]] = {}

    def add(self, job: Job, seconds: float) -> None:
        """Adds a finished run.

        Args:
            job: Job of the run.
            seconds: Duration of the run.
        """
        self._seconds.setdefault((job.row, job.rows_fraction), []).append(seconds)

    def remaining(self, jobs: Iterable[Job]) -> float | None:
        """Estimates the time of runs. A row without a finished run takes the mean of all finished runs.

        Args:
            jobs: Jobs of the runs.

        Returns:
            Seconds, or None before the first run on as many rows has finished.
        """
        total = 0.0
        for job in jobs:
            others = [
                one for (_, fraction), ones in self._seconds.items() if fraction == job.rows_fraction for one in ones
            ]
            if not others:
                return None
            total += _mean(self._seconds.get((job.row, job.rows_fraction), others))
        return total


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)
