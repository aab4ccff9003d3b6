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
def library_messages(shown: int) -> Iterator[None]:
    """Shows or hides the messages of libraries inside the `with` block and in the processes that are started there.

    Messages are Python's warnings, log messages below errors, and the log of TensorFlow's C++ code. TensorFlow reads
    its environment variable when it is imported, so the block should include its first import.

    Args:
        shown: 0 hides messages below errors, 1 shows warnings, and 2 all messages from INFO on. A process shows at
            least what its parent shows.
    """
    shown = max(int(shown), _shown())
    before = {name: os.environ.get(name) for name in (_VERBOSE, *_QUIET)}
    shown_by_tensorflow = {_VERBOSE: str(shown), "TF_CPP_MIN_LOG_LEVEL": "0" if shown > 1 else "1"}
    os.environ.update(shown_by_tensorflow if shown else {**_QUIET, **os.environ})
    try:
        with warnings.catch_warnings(), log_level("error"), _info_level(shown > 1):
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
    if _shown() < 2:
        highest = logging.getLevelNamesMapping()[level.upper()]
        logging.disable(min(highest, logging.WARNING) - 1 if _shown() else highest - 1)
    try:
        yield
    finally:
        logging.disable(before)


def _shown() -> int:
    """Returns what this process shows: see `library_messages`."""
    value = os.environ.get(_VERBOSE, "0")
    return int(value) if value.isdecimal() else 1


@contextmanager
def _info_level(lowered: bool) -> Iterator[None]:
    """Shows messages from INFO on of loggers without a level of their own, and of TFX."""
    if not lowered:
        yield
        return
    root = logging.getLogger()
    loggers = (root, logging.getLogger("absl"))
    before = [logger.level for logger in loggers]
    handler = logging.StreamHandler()  # Python's handler of last resort shows warnings only.
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    for logger in loggers:
        logger.setLevel(logging.INFO)
    if not root.handlers:
        root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


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
