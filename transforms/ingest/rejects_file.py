"""File of rejected rows that appears when it is complete."""

import io
from collections.abc import Sequence

from transforms.batches.raw_batch import Reject
from transforms.batches.rejects import write_rejects
from transforms.storage.atomic import PendingFile
from transforms.storage.files import open_output


class RejectsFile:
    """Writer of a file with a line of JSON for each rejected row; there is no file if there is no rejected row.

    Args:
        path: Path of the file.
        staging: Folder of the file until it is complete.
    """

    def __init__(self, path: str, staging: str):
        self._path = path
        self._staging = staging
        self._open: tuple[PendingFile, io.TextIOWrapper] | None = None

    def write(self, rejects: Sequence[Reject]) -> None:
        """Appends rejected rows.

        Args:
            rejects: Rejected rows; may be empty.
        """
        if not rejects:
            return
        if self._open is None:
            pending = PendingFile(self._path, self._staging)
            self._open = pending, io.TextIOWrapper(open_output(pending.path), encoding="utf-8", newline="\n")
        write_rejects(rejects, self._open[1])

    def finish(self) -> None:
        """Completes the file."""
        if self._open is not None:
            pending, stream = self._open
            stream.close()
            pending.commit()
