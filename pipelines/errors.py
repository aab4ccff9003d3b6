"""Messages of errors that the user can correct, found in the exceptions with which Beam and TFX replace them."""

import errno
import os
import re
from collections.abc import Iterator

from tfmtl.config import ConfigError
from transforms.batches.errors import LogError

_STEP = re.compile(r" \[while running '[^']*'\]")
_MACHINE = {
    errno.ENOSPC: "Free some space, or write to another folder",
    errno.EDQUOT: "Free some space, or write to another folder",
    errno.EROFS: "Write to another folder",
    errno.EACCES: "Change the permissions, or use another folder",
    errno.EPERM: "Change the permissions, or use another folder",
}
"""Advice for errors of the machine, by error number."""
_NO_STORE = ("file is not a database", "database disk image is malformed")
"""Texts of SQLite about a file `metadata.sqlite` that another program wrote or that is damaged."""
_LONGEST = 500


def exit_code(error: BaseException) -> int:
    """Returns the exit code of a program that ends with an error that the user can correct.

    It is the attribute `exit_code` of the error or of one of its causes, and 2 by default.

    Args:
        error: Exception that a command raised.

    Example:
        >>> from pipelines.errors import exit_code
        >>> exit_code(ValueError("a wrong setting"))
        2
    """
    codes = (getattr(one, "exit_code", None) for one in _chain(error))
    return next((code for code in codes if isinstance(code, int)), 2)


def user_message(error: BaseException) -> str | None:
    """Returns the message of an error that the user can correct; None for any other error.

    The error is searched in the chain of causes. Where Beam keeps only the text of a worker's traceback, it is the last
    line of the text that names a `LogError`, a `ConfigError` or a `FileNotFoundError`.

    Args:
        error: Exception that a command raised.

    Returns:
        The message without the names of Beam's steps, and with advice for errors of the machine (a full disk, missing
        permissions).

    Example:
        >>> from pipelines.errors import user_message
        >>> text = "transforms.batches.errors.LogError: a.csv: is empty [while running 'Read']"
        >>> user_message(RuntimeError(text))
        'a.csv: is empty'
        >>> user_message(KeyError("user")) is None
        True
    """
    chain = list(_chain(error))
    for one in chain:
        if isinstance(one, ConfigError | LogError) or (isinstance(one, FileNotFoundError) and one.errno is None):
            return _STEP.sub("", str(one))
    texts = [str(one) for one in chain]
    for text in texts:
        lines = re.findall(rf"^(?:{'|'.join(map(re.escape, _names()))}): (.*)$", text, re.MULTILINE)
        if lines:
            return _STEP.sub("", str(lines[-1]))
    machine = next(filter(None, map(_machine_message, texts)), None)
    return str(error) if machine is None and isinstance(error, OSError) and error.filename is not None else machine


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yields an error, its causes, and the errors during whose handling they were raised."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _names() -> list[str]:
    """Returns the names of the users' errors in a traceback."""
    classes, names = [LogError, ConfigError], ["FileNotFoundError"]
    while classes:
        one = classes.pop()
        classes += one.__subclasses__()
        names.append(f"{one.__module__}.{one.__qualname__}")
    return names


def _machine_message(text: str) -> str | None:
    """Returns the line of a text that reports an error of the machine, with advice; None if there is none."""
    if any(reason in text for reason in _NO_STORE):
        return (
            "OUT/metadata.sqlite is damaged or of another program: use another --out, or remove the file and run again."
        )
    for number, advice in _MACHINE.items():
        lines = [line for line in text.splitlines() if os.strerror(number) in line]
        if lines:
            line = _STEP.sub("", lines[-1].strip())[:_LONGEST]
            return f"{line}. {advice}; the next run continues after the last finished step."
    return None
