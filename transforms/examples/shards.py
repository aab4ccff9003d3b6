"""Sharded TFRecord files of serialized tf.Examples, one folder per split."""

import os
from collections.abc import Iterable, Mapping

import tensorflow as tf

from transforms.storage.atomic import UNFINISHED, PendingFile
from transforms.storage.files import make_folder

SHARD_BYTES = 256 << 20
_OPTIONS = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)


class ShardWriter:
    """Writes rows to `<folder>/Split-<split>/data_tfrecord-<name>-<number>.gz`, the file names of ExampleGen.

    A shard is written in `<folder>/.unfinished` and renamed when it is complete, so that the split folders never hold a
    partial file. Writing the same rows again replaces the shards. The caller removes `<folder>/.unfinished` when all
    writers have finished.

    Args:
        folder: Parent folder of all splits, on a local disk or an object store.
        name: Name of this writer, which must be unique in the folder.
        shard_bytes: Uncompressed size in bytes after which a new shard begins.
    """

    def __init__(self, folder: str, name: str, shard_bytes: int = SHARD_BYTES):
        self._folder = folder
        self._name = name
        self._shard_bytes = shard_bytes
        self._numbers: dict[str, int] = {}
        self._open: dict[str, _Shard] = {}

    def write(self, examples: Mapping[str, Iterable[bytes]]) -> None:
        """Appends rows to their splits.

        Args:
            examples: Serialized tf.Examples by split.
        """
        for split, rows in examples.items():
            for row in rows:
                shard = self._open.get(split) or self._new_shard(split)
                shard.write(row)
                if shard.size >= self._shard_bytes:
                    self._open.pop(split).finish()

    def finish(self) -> None:
        """Completes all open shards."""
        while self._open:
            self._open.popitem()[1].finish()

    def _new_shard(self, split: str) -> "_Shard":
        number = self._numbers.get(split, 0)
        self._numbers[split] = number + 1
        path = os.path.join(self._folder, f"Split-{split}", f"data_tfrecord-{self._name}-{number:05d}.gz")
        self._open[split] = _Shard(path, os.path.join(self._folder, UNFINISHED))
        return self._open[split]


class _Shard:
    """A TFRecord file that is being written.

    Args:
        path: Final name of the file.
        staging: Folder of the file until it is complete.
    """

    def __init__(self, path: str, staging: str):
        make_folder(os.path.dirname(path))
        self._file = PendingFile(path, staging)
        self._writer = tf.io.TFRecordWriter(self._file.path, _OPTIONS)
        self.size = 0

    def write(self, row: bytes) -> None:
        self._writer.write(row)
        self.size += len(row)

    def finish(self) -> None:
        self._writer.close()
        self._file.commit()
