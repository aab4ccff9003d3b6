"""Progress of the reading of a log."""

from pipelines.progress.task import Task


class ReadingProgress:
    """Function that a reader calls with a file and the bytes of it that are read. Each copy reports its own files.

    Args:
        total: Size of all files in bytes.
    """

    def __init__(self, total: float):
        self._task = Task("reading", "bytes", total)
        self._done: dict[str, int] = {}

    def __call__(self, path: str, done: int) -> None:
        """Reports what is read of a file.

        Args:
            path: Path of the file.
            done: Number of stored bytes that are read.
        """
        self._done[path] = done
        if self._task.is_due:
            self._task.update(sum(self._done.values()))
