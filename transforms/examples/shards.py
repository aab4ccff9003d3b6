"""Files of serialized tf.Examples by split, each there only when it is whole."""

import os
import uuid
from collections.abc import Iterable, Mapping

import tensorflow as tf

UNFINISHED = ".unfinished"
SHARD_BYTES = 256 << 20
_OPTIONS = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)


class ShardWriter:
    """Writes rows into `<folder>/Split-<split>/data_tfrecord-<name>-<number>.gz`, as ExampleGen's files are called.

    A file is written in `<folder>/.unfinished` and renamed when it is whole, so that what an interrupted writer leaves
    is never taken for a file of the log; writing the same rows again replaces it.

    Args:
        folder: of all splits, here or on an object store.
        name: of this writer; no other one in the folder may have it.
        shard_bytes: of rows, uncompressed, after which a new file begins.
    """

    def __init__(self, folder: str, name: str, shard_bytes: int = SHARD_BYTES):
        self._folder = folder
        self._name = name
        self._shard_bytes = shard_bytes
        self._numbers: dict[str, int] = {}
        self._open: dict[str, _Shard] = {}

    def write(self, examples: Mapping[str, Iterable[bytes]]) -> None:
        """Appends serialized rows to their splits."""
        for split, rows in examples.items():
            for row in rows:
                shard = self._open.get(split) or self._new(split)
                shard.write(row)
                if shard.size >= self._shard_bytes:
                    self._open.pop(split).finish()

    def finish(self) -> None:
        """Makes the files that are open whole."""
        while self._open:
            self._open.popitem()[1].finish()

    def _new(self, split: str) -> "_Shard":
        number = self._numbers.get(split, 0)
        self._numbers[split] = number + 1
        final = os.path.join(self._folder, f"Split-{split}", f"data_tfrecord-{self._name}-{number:05d}.gz")
        self._open[split] = _Shard(final, os.path.join(self._folder, UNFINISHED))
        return self._open[split]


class _Shard:
    def __init__(self, final: str, unfinished: str):
        self._final = final
        self._path = os.path.join(unfinished, uuid.uuid4().hex)
        for folder in (unfinished, os.path.dirname(final)):
            tf.io.gfile.makedirs(folder)
        self._writer = tf.io.TFRecordWriter(self._path, _OPTIONS)
        self.size = 0

    def write(self, row: bytes) -> None:
        self._writer.write(row)
        self.size += len(row)

    def finish(self) -> None:
        self._writer.close()
        tf.io.gfile.rename(self._path, self._final, overwrite=True)


def link(path: str, final: str) -> None:
    """Makes `final` the file `path`: by a hard link, or by a copy where there can be none."""
    tf.io.gfile.makedirs(os.path.dirname(final))
    if tf.io.gfile.exists(final):
        tf.io.gfile.remove(final)  # It may be a link to `path`, into which nothing must be copied.
    try:
        os.link(path, final)
    except OSError:  # Another disk, or an object store.
        tf.io.gfile.copy(path, final)
