"""Time of a step, and peak memory of this process. Needs only the standard library."""

import statistics
import time
from collections.abc import Callable

from pipelines.progress.peak_memory import peak_memory_bytes

_BLOCK_SECONDS = 0.5
_MIN_BLOCKS = 3


def seconds_per_step(run: Callable[[int], object], seconds: float, warm_up: int) -> tuple[float, int]:
    """Measures the time of a step in blocks of steps.

    Args:
        run: Executes a number of steps and returns when they are finished.
        seconds: Duration of the measurement; there are at least three blocks.
        warm_up: Number of steps before the measurement, which trace functions, allocate memory and fill caches.

    Returns:
        Seconds of a step, the median over the blocks, and the number of blocks.
    """
    run(warm_up)
    block = max(1, round(_BLOCK_SECONDS / _time(run, 1))) if seconds > _BLOCK_SECONDS else 1
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < _MIN_BLOCKS or time.perf_counter() < end:
        times.append(_time(run, block) / block)
    return statistics.median(times), len(times)


def peak_memory_mb() -> float:
    """Returns the peak memory of this process in MB: `VmHWM`, which does not include that of the parent process."""
    return (peak_memory_bytes() or 0) / 2**20


def _time(run: Callable[[int], object], steps: int) -> float:
    start = time.perf_counter()
    run(steps)
    return time.perf_counter() - start
