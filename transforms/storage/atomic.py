"""Files and folders that are either complete or absent.

Everything is written under a temporary name that begins with `UNFINISHED`, in the folder of the final name or in a
staging folder, and renamed once it is complete. What an interrupted writer leaves therefore never has a final name, and
`remove_unfinished` removes it.
"""

import contextlib
import os
import pathlib
import posixpath
import shutil
import uuid
from collections.abc import Iterator

from transforms.storage.files import exists, list_folder, make_folder, move, remove

UNFINISHED = ".unfinished"
"""Beginning of the name of every incomplete file and folder, and the name of a staging folder."""


class PendingFile:
    """A file with a temporary name, which `commit` replaces by its final name.

    The final name may be that of an existing file, which `commit` replaces. Several writers may write the same file at
    the same time: each has a temporary name of its own, and the last one to commit determines the content. For a block
    of code, use `atomic_file`.

    Args:
        path: Final name, on a local disk or an object store.
        staging: Folder of the temporary file, on the same file system; by default the folder of `path`. It is created
            if it does not exist, and not removed.

    Attributes:
        path: Temporary name, for the writer of the file. It has no extension, from which a writer could infer the
            compression.
    """

    def __init__(self, path: str | os.PathLike[str], staging: str | None = None):
        self._final = os.fspath(path)
        folder = posixpath.dirname(self._final) if staging is None else staging
        make_folder(folder)
        self.path = posixpath.join(folder, f"{UNFINISHED}-{uuid.uuid4().hex}")

    def commit(self) -> None:
        """Gives the file its final name; the writer must have closed it."""
        move(self.path, self._final)

    def discard(self) -> None:
        """Removes the temporary file if it exists."""
        remove(self.path)


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str], staging: str | None = None) -> Iterator[str]:
    """Context manager that yields a temporary name for a file, which gets its final name when the block ends.

    An existing file of that name is replaced. If the block raises an error, the temporary file is removed and the
    existing file remains. The existing file also remains if the block writes no file.

    Args:
        path: Final name, on a local disk or an object store.
        staging: Folder of the temporary file, on the same file system; by default the folder of `path`.

    Yields:
        The temporary name. The block must close the file that it writes.

    Example:
        >>> import pathlib, tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> with atomic_file(folder / "report.txt") as temporary:
        ...     _ = pathlib.Path(temporary).write_text("10 rows")
        >>> (folder / "report.txt").read_text()
        '10 rows'
    """
    pending = PendingFile(path, staging)
    try:
        yield pending.path
    except BaseException:
        pending.discard()
        raise
    if exists(pending.path):
        pending.commit()


@contextlib.contextmanager
def atomic_dir(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Context manager that yields an empty temporary folder, which gets its final name when the block ends.

    The temporary folder is created in the parent folder of the final one. If the block raises an error, the temporary
    folder is removed; if the process is killed, it remains, and the next call for the same path removes it.

    An existing folder, or file, of the final name remains unchanged while the block runs and is replaced as a whole
    afterwards: it is renamed, the new folder takes its name, and the old one is removed. A process that is killed
    between these two renames leaves no folder of that name, and never a mixture of both.

    Only one writer at a time may write the same path; see `transforms.storage.locks.exclusive_lock`.

    Args:
        path: Final name, on a local disk, as object stores cannot rename a folder.

    Yields:
        The temporary folder.

    Raises:
        ValueError: If `path` is on an object store.

    Example:
        >>> import tempfile
        >>> final = pathlib.Path(tempfile.mkdtemp()) / "result"
        >>> with atomic_dir(final) as folder:
        ...     _ = (folder / "score.txt").write_text("0.71")
        ...     assert not final.exists()
        >>> (final / "score.txt").read_text()
        '0.71'
    """
    if "://" in os.fspath(path):
        raise ValueError(f"`path` should be a local folder. Received: {os.fspath(path)!r}")
    final = pathlib.Path(os.path.abspath(path))
    folder = final.with_name(f"{UNFINISHED}-{final.name}")
    replaced = final.with_name(f"{UNFINISHED}-replaced-{final.name}")
    remove(str(folder))
    folder.mkdir(parents=True)
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    remove(str(replaced))
    if final.exists():
        final.rename(replaced)
    folder.rename(final)
    remove(str(replaced))


def remove_unfinished(folder: str | os.PathLike[str]) -> None:
    """Removes what interrupted writers left in a folder: all entries whose names begin with `UNFINISHED`.

    Args:
        folder: Folder on a local disk or an object store in which no writer is active; it need not exist.
    """
    for name in list_folder(os.fspath(folder)):
        if name.startswith(UNFINISHED):
            remove(posixpath.join(os.fspath(folder), name))
