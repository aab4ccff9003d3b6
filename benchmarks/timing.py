"""Seconds per step, and peak memory, of the process that asks. Standard library alone."""

import pathlib
import statistics
import time
from collections.abc import Callable

_BLOCK_SECONDS = 0.5
_FEWEST_BLOCKS = 3


def seconds_per_step(run: Callable[[int], object], seconds: float, warm_up: int) -> tuple[float, int]:
    """The median over blocks of steps of the time of one, and how many blocks there were.

    Args:
        run: executes that many steps, and returns when they are done.
        seconds: for which blocks are run; there are three of them at least.
        warm_up: steps before that, which trace, allocate and fill caches.
    """
    run(warm_up)
    block = max(1, round(_BLOCK_SECONDS / _time(run, 1))) if seconds > _BLOCK_SECONDS else 1
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < _FEWEST_BLOCKS or time.perf_counter() < end:
        times.append(_time(run, block) / block)
    return statistics.median(times), len(times)


def _time(run: Callable[[int], object], steps: int) -> float:
    start = time.perf_counter()
    run(steps)
    return time.perf_counter() - start


def peak_memory_mb() -> float:
    """The most memory that this process has had, in MB: `VmHWM`, which unlike `getrusage` leaves out its parent's."""
    status = pathlib.Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def reset_peak_memory() -> None:
    """Lets `peak_memory_mb` begin again with what this process holds now."""
    pathlib.Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
