"""Base directory of a served model: its versions, which of them are complete, and the number of the next one."""

import json
import pathlib
import time

from serving.export import DESCRIPTION_FILE
from serving.graph_check import GRAPH
from serving.manifest import MANIFEST, first_difference, read_manifest
from transforms.storage.atomic import UNFINISHED
from transforms.storage.files import exists, is_folder, list_folder, read_text, remove, size


def versions(base_directory: str) -> dict[int, str]:
    """Returns the folders of all versions by number, in ascending order.

    Args:
        base_directory: Folder with one folder per version, local or on an object store, which need not exist.
    """
    base = base_directory.rstrip("/")
    found = {int(name): f"{base}/{name}" for name in list_folder(base) if name.isdecimal()}
    return dict(sorted(found.items()))


def newest_version(base_directory: str) -> str | None:
    """Returns the folder of the highest version in a model's base directory, or None if there is none.

    Args:
        base_directory: Folder with one folder per version, which need not exist.
    """
    folders = versions(base_directory)
    return folders[max(folders)] if folders else None


def next_version(base_directory: str, used: int = 0) -> int:
    """Returns a number for a new version: the time in seconds, or more if that is not above all earlier versions.

    Args:
        base_directory: Folder with one folder per version, which need not exist.
        used: Highest number of a version that was removed.
    """
    return max(int(time.time()), max(versions(base_directory), default=0) + 1, used + 1)


def is_complete(folder: str) -> bool:
    """Returns whether a version has all files of its manifest.

    On a local disk, their checksums are compared, on an object store their sizes. A version without a manifest, which
    another program wrote, is complete if it has a graph. One whose push on an object store has not ended is not.

    Args:
        folder: Folder of the version.
    """
    if not exists(f"{folder}/{GRAPH}") or exists(unfinished_marker(folder)):
        return False
    return not exists(f"{folder}/{MANIFEST}") or _fits_manifest(folder)


def _fits_manifest(folder: str) -> bool:
    try:
        if "://" not in folder:
            files = read_manifest(pathlib.Path(folder))
            return files is not None and first_difference(pathlib.Path(folder), files) is None
        sizes = {name: entry["size"] for name, entry in json.loads(read_text(f"{folder}/{MANIFEST}"))["files"].items()}
    except ValueError:
        return False
    return all(exists(f"{folder}/{name}") and size(f"{folder}/{name}") == length for name, length in sizes.items())


def unfinished_marker(folder: str) -> str:
    """Returns the path of the marker that stands beside a version while it is written to an object store.

    Args:
        folder: Folder of the version.
    """
    base, _, name = folder.rstrip("/").rpartition("/")
    return f"{base}/{UNFINISHED}-{name}"


def fingerprint(folder: str) -> str | None:
    """Returns the fingerprint of an exported model (`serving.export.fingerprint`); None if another program wrote it.

    Args:
        folder: Folder of the SavedModel.
    """
    path = f"{folder.rstrip('/')}/{DESCRIPTION_FILE}"
    found = json.loads(read_text(path)).get("fingerprint") if exists(path) else None
    return None if found is None else str(found)


def remove_leftovers(base_directory: str) -> None:
    """Removes what interrupted pushes left: staging folders, and on an object store the versions that they began.

    Args:
        base_directory: Folder with one folder per version, to which nobody pushes at the moment.
    """
    base = base_directory.rstrip("/")
    for name in list_folder(base):
        if not name.startswith(UNFINISHED):
            continue
        path, version = f"{base}/{name}", f"{base}/{name.removeprefix(f'{UNFINISHED}-')}"
        if (
            not is_folder(path)
            and is_folder(version)
            and not (exists(f"{version}/{MANIFEST}") and _fits_manifest(version))
        ):
            remove(version)
        remove(path)
