"""Version folders of a model, and the state of their files."""

import os
import pathlib

_INT64_MAX = 2**63 - 1

FilesState = tuple[tuple[str, int, int, int, int], ...]
"""Relative path, device, inode, size and time of the last change (ns) of each file of a folder."""


def version_folders(base_path: pathlib.Path) -> dict[int, pathlib.Path]:
    """Returns the version folders by number; of `7` and `007`, the last by name, like TensorFlow Serving.

    Args:
        base_path: Folder of the version folders, or a symbolic link to it.

    Raises:
        OSError: If the folder cannot be read.
    """
    folders = {}
    for path in sorted(base_path.iterdir()):
        name = path.name
        if name.isascii() and name.isdigit() and int(name) <= _INT64_MAX and path.is_dir():
            folders[int(name)] = path
    return folders


def files_state(folder: pathlib.Path) -> FilesState:
    """Returns a value that changes with any file of a folder, also where a link leads to other files.

    Args:
        folder: Version folder.

    Raises:
        OSError: If a file cannot be read, or vanishes meanwhile.
    """
    found = []
    for parent, _, names in os.walk(folder, onerror=_raise, followlinks=True):
        for name in names:
            path = os.path.join(parent, name)
            stat = os.stat(path)
            found.append((os.path.relpath(path, folder), stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(sorted(found))


def _raise(error: OSError) -> None:
    raise error
