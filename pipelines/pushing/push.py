"""Push of a model: a copy that a server sees as a whole, under a number that no earlier version had."""

import os
import pathlib

from pipelines.pushing.destination import is_complete, next_version, remove_leftovers, unfinished_marker
from pipelines.pushing.rolled_back import read_rolled_back
from serving.graph_check import GRAPH
from serving.manifest import MANIFEST
from tfmtl.config import ConfigError
from transforms.storage.atomic import atomic_dir
from transforms.storage.files import copy_file, files_below, remove, write_text

_LAST = (GRAPH, MANIFEST)
"""Files that are copied last, in this order."""


def push(source: str, base_directory: str) -> int:
    """Copies a SavedModel to a new version, which has the highest number.

    On a local disk the copy has a temporary name, which no server takes for a version, until all its files are on the
    disk. An object store cannot rename a folder: there the graph, without which TensorFlow Serving does not load a
    version, is copied after all other files, and the manifest, for which tfmtl's server waits, after the graph. A
    marker beside the version tells the next push that the copy did not end. Leftovers of interrupted pushes are removed
    first.

    Args:
        source: Folder of the SavedModel.
        base_directory: Folder with one folder per version, local or on an object store; it is created if it does not
            exist. Only one process at a time may push to it.

    Returns:
        The number of the version.

    Raises:
        ConfigError: If the model, or the copy, lacks files of its manifest.
    """
    remove_leftovers(base_directory)
    used = max((one.version for one in read_rolled_back(base_directory)), default=0)
    version = next_version(base_directory, used)
    target = f"{base_directory.rstrip('/')}/{version}"
    if "://" in base_directory:
        marker = unfinished_marker(target)
        write_text(marker, source)
        _copy(source, target)
        remove(marker)
        if not is_complete(target):
            remove(target)
            raise _incomplete(source)
        return version
    with atomic_dir(target) as folder:
        copy_model(source, str(folder))
        _synchronize(folder)
    _synchronize_names(pathlib.Path(base_directory))
    return version


def copy_model(source: str, target: str) -> None:
    """Copies a SavedModel, its graph and its manifest last, and compares the copy with the manifest.

    Args:
        source: Folder of the SavedModel.
        target: Folder to write to.

    Raises:
        ConfigError: If the copy lacks files of the manifest.
    """
    _copy(source, target)
    if not is_complete(target):
        raise _incomplete(source)


def _copy(source: str, target: str) -> None:
    root, names = source.rstrip("/"), files_below(source)
    ordered = [name for name in names if name not in _LAST] + [name for name in _LAST if name in names]
    for name in ordered:
        copy_file(f"{root}/{name}", f"{target}/{name}")


def _incomplete(source: str) -> ConfigError:
    return ConfigError(
        f"{source} should have the files of its manifest. Received: missing or changed files. "
        "Run again with --no-cache to train the model anew."
    )


def _synchronize(folder: pathlib.Path) -> None:
    """Waits until the files of a folder are on the disk, so that a power failure leaves no version with empty files."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with pathlib.Path(parent, name).open("rb") as file:
                os.fsync(file.fileno())
        _synchronize_names(pathlib.Path(parent))


def _synchronize_names(folder: pathlib.Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
