"""Measurements of which each runs in a process of its own, so that none finds what another one left in memory."""

import concurrent.futures
import multiprocessing
from collections.abc import Callable, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Result = TypeVar("Result")


def in_processes(
    measure: Callable[..., Result], cases: Sequence[tuple[object, ...]], title: str, console: Console
) -> list[Result]:
    """Returns the result of a function for each case, and shows a bar of progress.

    Args:
        measure: Function of a module, which the processes import.
        cases: Arguments of each call.
        title: Text in front of the bar.
        console: Console of the bar.
    """
    results = []
    for case in track(cases, title, console=console):
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as process:
            results.append(process.submit(measure, *case).result())
    return results
