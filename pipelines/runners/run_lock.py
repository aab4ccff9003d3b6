"""Lock of a run folder, which one run, rollback or clean-up uses at a time."""

import contextlib
import pathlib
from collections.abc import Iterator

from transforms.storage.locks import exclusive_lock

_LOCK = ".run.lock"


@contextlib.contextmanager
def lock_run_folder(root: pathlib.Path) -> Iterator[None]:
    """Context manager in which no other process runs a pipeline in a folder, or changes its versions or artifacts.

    Args:
        root: Run folder; it is created if it does not exist.

    Raises:
        ConfigError: If another process uses the folder; the message names it.
    """
    with exclusive_lock(root / _LOCK, f"{root} should be used by one run at a time"):
        yield
