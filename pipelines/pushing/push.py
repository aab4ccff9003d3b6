"""Push of a model: a copy that a server sees as a whole, under a number that no earlier version had."""

import os
import pathlib

import tensorflow as tf

from pipelines.pushing.destination import is_complete, next_version, remove_leftovers
from pipelines.pushing.rolled_back import read_rolled_back
from serving.graph_check import GRAPH
from tfmtl.config import ConfigError
from transforms.storage.atomic import UNFINISHED, atomic_dir


def push(source: str, base_directory: str) -> int:
    """Copies a SavedModel to a new version, which has the highest number.

    On a local disk the copy has a temporary name, which no server takes for a version, until all its files are on the
    disk. An object store cannot rename a folder: there the graph is copied last, without which TensorFlow Serving does
    not load a version, and a marker beside the version tells the next push that the copy did not end. Leftovers of
    interrupted pushes are removed first.

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
    target = os.path.join(base_directory, str(version))
    if "://" in base_directory:
        _push_in_place(source, base_directory, target)
        return version
    with atomic_dir(target) as folder:
        copy_model(source, str(folder))
        _synchronize(folder)
    _synchronize_names(pathlib.Path(base_directory))
    return version


def copy_model(source: str, target: str) -> None:
    """Copies a SavedModel, its graph last, and compares the copy with the manifest.

    Args:
        source: Folder of the SavedModel.
        target: Folder to write to.

    Raises:
        ConfigError: If the copy lacks files of the manifest.
    """
    root = source.rstrip("/")
    for folder, _, names in tf.io.gfile.walk(root):
        copied = os.path.join(target, os.path.relpath(folder, root)).removesuffix("/.")
        tf.io.gfile.makedirs(copied)
        for name in names:
            if (folder.rstrip("/"), name) != (root, GRAPH):
                tf.io.gfile.copy(os.path.join(folder, name), os.path.join(copied, name), overwrite=True)
    tf.io.gfile.copy(os.path.join(root, GRAPH), os.path.join(target, GRAPH), overwrite=True)
    if not is_complete(target):
        raise ConfigError(
            f"{source} should have the files of its manifest. Received: missing or changed files. "
            "Run again with --no-cache to train the model anew."
        )


def _push_in_place(source: str, base_directory: str, target: str) -> None:
    tf.io.gfile.makedirs(base_directory)
    marker = os.path.join(base_directory, f"{UNFINISHED}-{os.path.basename(target)}")
    with tf.io.gfile.GFile(marker, "w") as file:
        file.write(source)
    copy_model(source, target)
    tf.io.gfile.remove(marker)


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
