"""How our programs speak to a person: their own lines, not those of the libraries below them."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from rich.console import Console
from rich.status import Status

_WIDTH = 110

console = Console(width=None if sys.stdout.isatty() else _WIDTH)


@contextmanager
def log_level(level: str) -> Iterator[None]:
    """Lets nothing below `level` be logged inside the `with` block: `info`, `warning` or `error`.

    TFX, Beam and TensorFlow set the levels of their own loggers as they go; this holds whatever they set.
    """
    before = logging.root.manager.disable
    logging.disable(logging.getLevelNamesMapping()[level.upper()] - 1)
    try:
        yield
    finally:
        logging.disable(before)


def run_program(program: Callable[[], object]) -> NoReturn:
    """Calls `program` and ends the process with its exit code, at once.

    An orderly end lets Python clear TensorFlow's modules before the functions that they registered, and every one of
    these then prints `Exception ignored in AtomicFunction.__del__`.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    code: object = 1
    try:
        with log_level("error"):
            code = program()
    except SystemExit as stop:
        code = stop.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0)


class ComponentProgress:
    """Shows the running component and, when it ends, a line with its seconds.

    Args:
        console: to write to.
    """

    def __init__(self, console: Console):
        self._console = console
        self._status: Status | None = None
        self._start = 0.0
        self.seconds: dict[str, float] = {}

    def __call__(self, name: str, event: str) -> None:
        if event == "start":
            self._start = time.monotonic()
            self._status = self._console.status(f"{name} ...")
            self._status.start()
        else:
            if self._status is not None:
                self._status.stop()
            self.seconds[name] = time.monotonic() - self._start
            self._console.print(f"  {name:<24} {self.seconds[name]:6.1f} s", highlight=False)
