"""Ctrl-C that ends a run also if a library swallows it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_received = threading.Event()


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
