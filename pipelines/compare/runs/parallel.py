"""Calls of a function in several threads, each of which waits for a process."""

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def for_each(function: Callable[[Item], object], items: Sequence[Item], threads: int) -> None:
    """Calls a function with each item, in their order, at most `threads` at a time.

    With one thread, the calls are made by the caller's. If a call raises an error, no other one starts. Threads end
    with the process, so that an interruption need not wait for them.

    Args:
        function: Function of one item.
        items: The items.
        threads: Number of threads.

    Raises:
        BaseException: The first error that a call raised.
    """
    if threads == 1:
        for item in items:
            function(item)
        return
    left, lock = iter(items), threading.Lock()
    errors: list[BaseException] = []

    def work() -> None:
        while not errors:
            with lock:
                item = next(left, None)
            if item is None:
                return
            try:
                function(item)
            except BaseException as error:
                errors.append(error)

    workers = [threading.Thread(target=work, daemon=True) for _ in range(min(threads, len(items)))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if errors:
        raise errors[0]
