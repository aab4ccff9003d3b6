"""Messages of the libraries, such as TFX, Beam and TensorFlow, which a program shows only if its user asks for them."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_VERBOSE = "TFMTL_VERBOSE"
"""Environment variable by which the processes that a program starts show messages too."""
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "GRPC_VERBOSITY": "ERROR", "PYTHONWARNINGS": "ignore"}
"""Environment variables that hide messages; one that the user has set keeps its value."""
_LOG_RAISED_ERRORS = (
    "apache_beam.runners.common",
    "apache_beam.runners.portability.local_job_service",
    "apache_beam.runners.worker.sdk_worker",
)
"""Loggers of exceptions that are raised as well."""


@contextmanager
def library_messages(shown: bool) -> Iterator[None]:
    """Shows or hides the messages of libraries inside the `with` block and in the processes that are started there.

    Messages are Python's warnings, log messages below errors, and the log of TensorFlow's C++ code. TensorFlow reads
    its environment variable when it is imported, so the block should include its first import.

    Args:
        shown: Whether messages are shown. They are also shown in a process whose parent shows them.
    """
    shown = shown or _VERBOSE in os.environ
    before = {name: os.environ.get(name) for name in (_VERBOSE, *_QUIET)}
    os.environ.update({_VERBOSE: "1", "TF_CPP_MIN_LOG_LEVEL": "0"} if shown else {**_QUIET, **os.environ})
    try:
        with warnings.catch_warnings(), log_level("error"):
            if not shown and not sys.warnoptions:  # `python -W` and PYTHONWARNINGS are choices of the user.
                warnings.simplefilter("ignore")
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def log_level(level: str) -> Iterator[None]:
    """Suppresses log messages below a level inside the `with` block, unless messages of libraries are shown.

    TFX, Beam and TensorFlow change the levels of their own loggers while they run; this level holds regardless.

    Args:
        level: `info`, `warning` or `error`.
    """
    before = logging.root.manager.disable
    if _VERBOSE not in os.environ:
        logging.disable(logging.getLevelNamesMapping()[level.upper()] - 1)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def failures_hidden() -> Iterator[None]:
    """Hides what Beam and TFX log about an exception that they also raise, unless messages of libraries are shown."""
    names = () if _VERBOSE in os.environ else ("absl", *_LOG_RAISED_ERRORS)
    loggers = [logging.getLogger(name) for name in names]

    def is_shown(record: logging.LogRecord) -> bool:
        is_other = record.name == "absl" and not record.getMessage().startswith("Execution ")
        return is_other or record.levelno < logging.ERROR

    for logger in loggers:
        logger.addFilter(is_shown)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_shown)
