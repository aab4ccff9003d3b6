"""Function of Beam's workers that works on several elements at a time."""

import collections
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import apache_beam as beam


class ThreadedDoFn(beam.DoFn):
    """DoFn that works on the elements of a bundle in threads.

    A subclass computes the result of an element in `work`, which threads call, adds it in `add`, and returns the
    outputs of the bundle from `outputs`; Beam calls these two in its own thread. Results are added in the order of the
    elements. Arrow, NumPy and zlib release Python's lock.

    Args:
        threads: Number of elements at a time.
    """

    def __init__(self, threads: int):
        self._threads = threads

    def start_bundle(self) -> None:
        """Starts the threads."""
        self._pool = ThreadPoolExecutor(self._threads)
        self._pending: collections.deque[Future[Any]] = collections.deque()

    def process(self, element: Any) -> None:
        """Gives an element to the threads."""
        self._pending.append(self._pool.submit(self.work, element))
        while len(self._pending) > self._threads:  # The pool has an element more than threads: none of them waits.
            self.add(self._pending.popleft().result())

    def finish_bundle(self) -> Iterable[Any]:
        """Waits for the threads and returns the outputs."""
        with self._pool:
            while self._pending:
                self.add(self._pending.popleft().result())
        return self.outputs()

    def work(self, element: Any) -> Any:
        """Returns the result of an element; called by several threads.

        Args:
            element: Element of the input.
        """
        raise NotImplementedError

    def add(self, result: Any) -> None:
        """Adds a result to those of the bundle.

        Args:
            result: What `work` returned.
        """
        raise NotImplementedError

    def outputs(self) -> Iterable[Any]:
        """Returns the outputs of the bundle, as windowed values."""
        raise NotImplementedError
