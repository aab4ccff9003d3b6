"""Progress of the reading of a log."""

from pipelines.progress.task import Task
from transforms.readers.file_range import FileRange


class ReadingProgress:
    """Function that a reader calls with a range of a file and the bytes of it that are read.

    Each copy reports its own ranges.

    Args:
        total: Size of all files in bytes.
    """

    def __init__(self, total: float):
        self._task = Task("reading", "bytes", total)
        self._done: dict[FileRange, int] = {}

    def __call__(self, part: FileRange, done: int) -> None:
        """Reports what is read of a range.

        Args:
            part: Range of a file.
            done: Number of stored bytes that are read.
        """
        self._done[part] = done
        if self._task.is_due:
            self._task.update(sum(self._done.values()))
