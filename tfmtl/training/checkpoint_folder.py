"""Folder of checkpoints, each of which is complete or ignored."""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

_TENSORS = "tensors"
_STATE = "state.json"
_UNREADABLE = (tf.errors.OpError, ValueError, LookupError, RuntimeError, OSError)


class Checkpoint:
    """A complete checkpoint.

    Args:
        path: Folder of the checkpoint.
        state: The values that are not tensors.
        names: Names of the tensors.

    Attributes:
        state: The values that are not tensors, as JSON returns them.
        names: Names of the tensors.
    """

    def __init__(self, path: str, state: dict[str, Any], names: frozenset[str]):
        self.state, self.names = state, names
        self._reader = tf.train.load_checkpoint(os.path.join(path, _TENSORS))

    def tensor(self, name: str) -> np.ndarray:
        """Reads a tensor.

        Args:
            name: Name of the tensor.
        """
        value: np.ndarray = self._reader.get_tensor(name)
        return value


class CheckpointFolder:
    """Folder that holds the last checkpoints of a training, on any file system that TensorFlow reads.

    A checkpoint is a folder with the tensors in TensorFlow's format, which has a checksum for each, and a file
    `state.json`, which is written last and renamed to its name. What an interrupted writer leaves lacks that file, or
    has a file of another size or a wrong checksum, and is ignored in favour of the previous checkpoint.

    Args:
        folder: Path of the folder, which is created by the first checkpoint.
        keep: Number of checkpoints that remain.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from tfmtl.training.checkpoint_folder import CheckpointFolder
        >>> with tempfile.TemporaryDirectory() as path:
        ...     folder = CheckpointFolder(path)
        ...     folder.write({"weights": np.arange(3)}, {"step": 7})
        ...     newest = folder.newest()
        ...     newest.state, newest.tensor("weights").tolist()
        ({'step': 7}, [0, 1, 2])
    """

    def __init__(self, folder: str, keep: int = 2):
        self.folder, self.keep = folder, keep

    def write(self, tensors: Mapping[str, Any], state: Mapping[str, Any]) -> None:
        """Writes a checkpoint, then removes the oldest ones.

        Args:
            tensors: Tensors, variables or arrays by name.
            state: Other values, as plain data.
        """
        numbers = self._numbers()
        path = self._path(numbers[-1] + 1 if numbers else 0)
        tf.io.gfile.makedirs(path)
        names = list(tensors)
        with tf.device("CPU:0"):
            values = [tf.convert_to_tensor(tensors[name]) for name in names]
            prefix = os.path.join(path, _TENSORS)
            tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names), tensors=values)
        sizes = {name: tf.io.gfile.stat(os.path.join(path, name)).length for name in tf.io.gfile.listdir(path)}
        unfinished = os.path.join(path, f"{_STATE}.unfinished")
        with tf.io.gfile.GFile(unfinished, "w") as file:
            json.dump({"sizes": sizes, "names": names, "state": state}, file)
        tf.io.gfile.rename(unfinished, os.path.join(path, _STATE), overwrite=True)
        for number in numbers[: len(numbers) + 1 - self.keep]:
            tf.io.gfile.rmtree(self._path(number))

    def newest(self) -> Checkpoint | None:
        """Returns the newest checkpoint that can be read whole; None if there is none."""
        return next(self._readable(), None)

    def remove(self) -> None:
        """Removes the folder with its checkpoints."""
        if tf.io.gfile.exists(self.folder):
            tf.io.gfile.rmtree(self.folder)

    def _readable(self) -> Iterator[Checkpoint]:
        for number in reversed(self._numbers()):
            try:
                yield _read(self._path(number))
            except _UNREADABLE:
                continue

    def _numbers(self) -> list[int]:
        if not tf.io.gfile.isdir(self.folder):
            return []
        names = [name.rstrip("/") for name in tf.io.gfile.listdir(self.folder)]
        return sorted(int(name) for name in names if name.isdigit())

    def _path(self, number: int) -> str:
        return os.path.join(self.folder, f"{number:08d}")


def _read(path: str) -> Checkpoint:
    """Returns a checkpoint after it has read all of it; raises one of `_UNREADABLE` if it is not complete."""
    with tf.io.gfile.GFile(os.path.join(path, _STATE)) as file:
        content = json.load(file)
    for name, size in content["sizes"].items():
        length = tf.io.gfile.stat(os.path.join(path, name)).length
        if length != size:
            raise ValueError(f"{name} should have {size} bytes. Received: {length}")
    checkpoint = Checkpoint(path, content["state"], frozenset(content["names"]))
    for name in content["names"]:
        checkpoint.tensor(name)  # Verifies its checksum.
    return checkpoint
