"""Sharded TFRecord files of serialized tf.Examples, one folder per split."""

import os
from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.examples.record_writer import RecordWriter
from transforms.storage.atomic import UNFINISHED, PendingFile
from transforms.storage.files import make_folder, open_output

SHARD_BYTES = 256 << 20


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

    def write(self, examples: Mapping[str, pa.Array | Iterable[bytes]]) -> None:
        """Appends rows to their splits.

        Args:
            examples: Serialized tf.Examples by split.
        """
        for split, given in examples.items():
            rows = given if isinstance(given, pa.Array) else pa.array(given, pa.binary())
            ends = np.cumsum(pc.binary_length(rows).to_numpy(zero_copy_only=False), dtype=np.int64)
            first = 0
            while first < len(rows):
                shard = self._open.get(split) or self._new_shard(split)
                written = int(ends[first - 1]) if first else 0
                last = int(np.searchsorted(ends, written + self._shard_bytes - shard.size))  # The row that fills it.
                following = min(last + 1, len(rows))
                shard.write(rows.slice(first, following - first), int(ends[following - 1]) - written)
                if shard.size >= self._shard_bytes:
                    self._open.pop(split).finish()
                first = following

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
        self._writer = RecordWriter(open_output(self._file.path))
        self.size = 0

    def write(self, rows: pa.Array, row_bytes: int) -> None:
        self._writer.write(rows)
        self.size += row_bytes

    def finish(self) -> None:
        self._writer.close()
        self._file.commit()
