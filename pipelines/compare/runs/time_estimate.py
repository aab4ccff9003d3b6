"""How long the runs that are left will take."""

from collections.abc import Iterable

from pipelines.compare.jobs import Job


class Estimate:
    """Learns from the runs that are finished: a model's next run takes as long as its runs did on average."""

    def __init__(self):
        self._seconds: dict[str, list[float]] = {}

    def add(self, job: Job, seconds: float) -> None:
        """A run took so long."""
        self._seconds.setdefault(job.row, []).append(seconds)

    def left(self, jobs: Iterable[Job]) -> float | None:
        """Seconds; None before the first run. A model of which no run is finished takes what all took on average."""
        everything = [seconds for of_row in self._seconds.values() for seconds in of_row]
        if not everything:
            return None
        return sum(_mean(self._seconds.get(job.row, everything)) for job in jobs)


def duration(seconds: float) -> str:
    """`42 s`, `12 min` or `3.4 h`."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 99.5 * 60 else f"{seconds / 3600:.1f} h"


def _mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers)
