"""Ctrl-C that ends a run also if a library swallows it, and the signal SIGTERM as an exception."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_received = threading.Event()


class Terminated(BaseException):
    """Exception that the signal SIGTERM raises inside `termination_raised`, as Ctrl-C raises `KeyboardInterrupt`."""


@contextmanager
def interrupts_remembered() -> Iterator[None]:
    """Remembers Ctrl-C inside the `with` block, for `raise_if_interrupted`.

    Python discards a `KeyboardInterrupt` that is raised while it calls a destructor or the callback of a weak
    reference, which TFX and Beam have many of.
    """
    _received.clear()
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        _received.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def raise_if_interrupted() -> None:
    """Raises a `KeyboardInterrupt` if one was raised before and has been discarded."""
    if _received.is_set():
        _received.clear()
        raise KeyboardInterrupt


@contextmanager
def termination_raised() -> Iterator[None]:
    """Raises `Terminated` in the main thread when the process receives SIGTERM inside the `with` block.

    Later ones have no effect until the block ends, so that they do not interrupt the end of the program.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
