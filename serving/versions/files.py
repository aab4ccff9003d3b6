"""Decision whether the files of a version are complete, so that no half-copied version is loaded."""

import dataclasses
import enum
import pathlib

from serving import manifest
from serving.versions.folders import FilesState, files_state


class Progress(enum.Enum):
    """Progress of the copy of a version."""

    COMPLETE = "complete"
    GROWING = "growing"
    STOPPED = "stopped"


@dataclasses.dataclass(frozen=True)
class Files:
    """Files of a version folder at a poll.

    Attributes:
        state: Value that changes with any file.
        progress: COMPLETE if the version may be loaded. Otherwise GROWING if the files are new or changed since the
            last poll, and STOPPED if they are not, though the manifest tells of others.
        problem: What is incomplete, as a sentence; empty if nothing is.
    """

    state: FilesState
    progress: Progress
    problem: str = ""


class FilesWatch:
    """Files of one version, which are examined at each poll.

    An export with a manifest is complete when all files of the manifest have its sizes and checksums. An export
    without one, by another program, is complete when its files (names, sizes, times) are those of the last poll.

    Args:
        folder: Version folder.
    """

    def __init__(self, folder: pathlib.Path):
        self._folder = folder
        self._last: Files | None = None

    @property
    def is_new(self) -> bool:
        """True before the first poll."""
        return self._last is None

    def poll(self) -> Files:
        """Returns the files as they are now. A file that cannot be read counts as incomplete."""
        last = self._last
        try:
            state = files_state(self._folder)
            if last is None or last.state != state:
                problem = _problem(self._folder)
                self._last = Files(state, Progress.COMPLETE if problem is None else Progress.GROWING, problem or "")
                return self._last
        except OSError as error:  # Also where a file vanishes while the folder is examined.
            state = ((str(error), 0, 0, 0, 0),)
            if last is None or last.state != state:
                self._last = Files(state, Progress.GROWING, str(error))
                return self._last
        if last.progress is Progress.GROWING:
            last = dataclasses.replace(last, progress=Progress.STOPPED if last.problem else Progress.COMPLETE)
        self._last = last
        return last


def _problem(folder: pathlib.Path) -> str | None:
    """Returns None if the files are complete, "" if only time can tell, and what is incomplete otherwise."""
    try:
        files = manifest.read_manifest(folder)
    except ValueError as error:
        return str(error)
    if files is not None:
        return manifest.first_difference(folder, files)
    return f"{manifest.MANIFEST} should be there. Received: no such file" if manifest.has_marker(folder) else ""
