"""How our programs speak to a person: their own lines, not those of the libraries below them."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from rich.console import Console

_WIDTH = 110
_LOUD = ("absl", "tensorflow", "apache_beam", "tfx", "kfp")

console = Console(width=None if sys.stdout.isatty() else _WIDTH)


@contextmanager
def log_level(level: str) -> Iterator[None]:
    """Lets TFX, Beam and TensorFlow log from `level` on inside the `with` block: `info`, `warning` or `error`."""
    loggers = [logging.getLogger(name) for name in ("", *_LOUD)]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(level.upper())
    try:
        yield
    finally:
        for logger, old in zip(loggers, before, strict=True):
            logger.setLevel(old)


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
