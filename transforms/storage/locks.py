"""Locks between processes."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

import filelock

from tfmtl.config import ConfigError


@contextlib.contextmanager
def exclusive_lock(path: str | os.PathLike[str], message: str) -> Iterator[None]:
    """Context manager that holds a lock file, which no other process or thread can hold at the same time.

    The operating system releases the lock when the process ends, also if it is killed.

    Args:
        path: Lock file on a local disk; it and its folder are created if they do not exist.
        message: Message of the error that is raised if the lock is held elsewhere.

    Raises:
        ConfigError: If another process or thread holds the lock; the call does not wait.

    Example:
        >>> import tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / ".lock"
        >>> with exclusive_lock(path, "the folder should have one writer at a time. Received: another one"):
        ...     print("locked")
        locked
    """
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(os.fspath(path), timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise ConfigError(message) from error
    try:
        yield
    finally:
        lock.release()
