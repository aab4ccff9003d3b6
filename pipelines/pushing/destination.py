"""Base directory of a served model: its versions, which of them are complete, and the number of the next one."""

import json
import os
import pathlib
import time

import tensorflow as tf

from serving.export import describe
from serving.graph_check import GRAPH
from serving.manifest import MANIFEST, first_difference, read_manifest
from transforms.storage.atomic import UNFINISHED


def versions(base_directory: str) -> dict[int, str]:
    """Returns the folders of all versions by number, in ascending order.

    Args:
        base_directory: Folder with one folder per version, local or on an object store, which need not exist.
    """
    found = {int(name): os.path.join(base_directory, name) for name in entries(base_directory) if name.isdecimal()}
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
    another program wrote, is complete if it has a graph.

    Args:
        folder: Folder of the version.
    """
    if not tf.io.gfile.exists(os.path.join(folder, GRAPH)):
        return False
    manifest = os.path.join(folder, MANIFEST)
    if not tf.io.gfile.exists(manifest):
        return True
    try:
        if "://" not in folder:
            files = read_manifest(pathlib.Path(folder))
            return files is not None and first_difference(pathlib.Path(folder), files) is None
        with tf.io.gfile.GFile(manifest) as file:
            sizes = {name: entry["size"] for name, entry in json.load(file)["files"].items()}
    except ValueError:
        return False
    paths = {os.path.join(folder, name): size for name, size in sizes.items()}
    return all(tf.io.gfile.exists(path) and tf.io.gfile.stat(path).length == size for path, size in paths.items())


def fingerprint(folder: str) -> str | None:
    """Returns the fingerprint of an exported model (`serving.export.fingerprint`); None if another program wrote it.

    Args:
        folder: Folder of the SavedModel.
    """
    found = describe(folder).get("fingerprint")
    return None if found is None else str(found)


def remove_leftovers(base_directory: str) -> None:
    """Removes what interrupted pushes left: staging folders, and on an object store the versions that they began.

    Args:
        base_directory: Folder with one folder per version, to which nobody pushes at the moment.
    """
    for name in entries(base_directory):
        if not name.startswith(UNFINISHED):
            continue
        path = os.path.join(base_directory, name)
        if tf.io.gfile.isdir(path):
            tf.io.gfile.rmtree(path)
            continue
        version = os.path.join(base_directory, name.removeprefix(f"{UNFINISHED}-"))
        if tf.io.gfile.isdir(version) and not is_complete(version):
            tf.io.gfile.rmtree(version)
        tf.io.gfile.remove(path)


def entries(base_directory: str) -> list[str]:
    """Returns the sorted names in a folder; none if it does not exist."""
    if not tf.io.gfile.isdir(base_directory):
        return []
    return sorted(name.rstrip("/") for name in tf.io.gfile.listdir(base_directory))
