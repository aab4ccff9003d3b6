"""Progress of a job whose workers are other processes: numbers in small files of a folder."""

import contextlib
import pathlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator

_SECONDS = 0.5


class ProgressFile:
    """Number of rows of one file that are finished, as a file that `total` reads.

    Args:
        folder: Folder of all progress files; if it is on another machine, no progress is shown.
    """

    def __init__(self, folder: str):
        self._path = pathlib.Path(folder, uuid.uuid4().hex)

    def write(self, rows: int) -> None:
        """Replaces the number.

        Args:
            rows: Number of rows.
        """
        with contextlib.suppress(OSError):
            self._path.write_text(str(rows), encoding="utf-8")


def total(folder: str) -> int:
    """Returns the sum of all numbers.

    Args:
        folder: Folder of the progress files.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> ProgressFile(folder).write(3)
        >>> ProgressFile(folder).write(4)
        >>> total(folder)
        7
    """
    texts = [path.read_text(encoding="utf-8") for path in pathlib.Path(folder).iterdir()]
    return sum(int(text) for text in texts if text)  # A file is empty while it is replaced.


@contextlib.contextmanager
def shown(folder: str, show: Callable[[int, float], object]) -> Iterator[None]:
    """Calls a function twice a second while the block runs.

    Args:
        folder: Folder of the progress files.
        show: Function of the number of rows, and of the seconds since the start.
    """
    start, ended = time.monotonic(), threading.Event()

    def loop() -> None:
        while not ended.wait(_SECONDS):
            show(total(folder), time.monotonic() - start)

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
