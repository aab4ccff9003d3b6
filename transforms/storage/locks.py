"""Locks between processes."""

import contextlib
import datetime
import json
import os
import pathlib
import socket
from collections.abc import Iterator

import filelock

from tfmtl.config import ConfigError
from transforms.storage.atomic import atomic_file

_HOLDER = ".holder.json"
"""End of the name of the file that says who holds a lock."""


@contextlib.contextmanager
def exclusive_lock(path: str | os.PathLike[str], expected: str) -> Iterator[None]:
    """Context manager that holds a lock file, which no other process or thread can hold at the same time.

    The operating system releases the lock when the process ends, also if it is killed. A file beside the lock says
    which process took it and when; an earlier holder's is replaced.

    Args:
        path: Lock file on a local disk; it and its folder are created if they do not exist.
        expected: Beginning of the message of the error that is raised if the lock is held elsewhere.

    Raises:
        ConfigError: If another process or thread holds the lock; the call does not wait. The message names the
            process, its machine and the time since which it holds the lock.

    Example:
        >>> import tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / ".lock"
        >>> with exclusive_lock(path, "the folder should have one writer at a time"):
        ...     print("locked")
        locked
    """
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(os.fspath(path), timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise ConfigError(f"{expected}. Received: {_holder(path)}") from error
    holder = f"{os.fspath(path)}{_HOLDER}"
    try:
        with atomic_file(holder) as temporary:
            since = datetime.datetime.now().astimezone().isoformat(" ", "seconds")
            text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since})
            pathlib.Path(temporary).write_text(text, encoding="utf-8")
        yield
    finally:
        pathlib.Path(holder).unlink(missing_ok=True)
        lock.release()


def _holder(path: str | os.PathLike[str]) -> str:
    """Describes the holder of a lock."""
    try:
        found = json.loads(pathlib.Path(f"{os.fspath(path)}{_HOLDER}").read_text(encoding="utf-8"))
        return f"process {found['pid']} on {found['host']}, since {found['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # The holder has just taken the lock, or releases it.
        return "another process"
