"""TFRecord files of bounded size and number, which are complete whenever they have their final names."""

import fcntl
import itertools
import os
import pathlib
import struct
import time
from typing import IO, Any

import tensorflow as tf

from serving.request_log.options import RequestLogOptions
from tfmtl.config import ConfigError

FRAME_BYTES = 16
"""Length and checksums around each record."""
MAX_RECORDS = 1000
"""Maximum number of records of a file, which is that of a warm-up file of TensorFlow Serving."""
FILE_SECONDS = 300.0
"""Seconds after which a file is completed although it has room for more."""

_PATTERN = "requests-*.tfrecord"
_PART = ".part"


class RecordFiles:
    """Writer of records to one file after another.

    The file that is written has the suffix `.part`, and loses it when it is complete. A process that is killed leaves a
    file with that suffix; the next one cuts it behind the last whole record and completes it.

    Args:
        options: Folder and sizes.

    Raises:
        ConfigError: If the folder cannot be used, or another process writes to it.
    """

    def __init__(self, options: RequestLogOptions):
        self._folder = pathlib.Path(options.folder)
        self._max_file, self._max_total = options.max_file_bytes, options.max_bytes
        self._writer: Any = None
        self._path = self._folder
        self._records, self._bytes, self._opened = 0, 0, 0.0
        self._numbers = itertools.count(1)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self._folder / ".lock")
            for path in self._folder.glob(_PATTERN + _PART):
                _complete(path)
            self._sizes = {path: path.stat().st_size for path in sorted(self._folder.glob(_PATTERN))}
        except OSError as error:
            expected = f"{self._folder} should be a folder that this server can write to"
            raise ConfigError(f"{expected}. Received: {error.strerror}") from error

    def fits(self, record_bytes: int) -> bool:
        """Returns whether a file may hold a record.

        Args:
            record_bytes: Size of the record.
        """
        return record_bytes + FRAME_BYTES <= self._max_file

    def write(self, record: bytes) -> None:
        """Appends a record that fits into a file, after completing the present file if it is full.

        Args:
            record: Bytes to write.

        Raises:
            OSError, tf.errors.OpError: If the file cannot be written.
        """
        size = len(record) + FRAME_BYTES
        if self._writer is not None and (self._records == MAX_RECORDS or self._bytes + size > self._max_file):
            self.complete()
        if self._writer is None:
            self._open()
        self._remove_oldest(size)
        self._writer.write(record)
        self._records += 1
        self._bytes += size

    def flush(self) -> None:
        """Hands what has been written to the operating system, and completes a file that is old."""
        if self._writer is None:
            return
        if time.monotonic() - self._opened >= FILE_SECONDS:
            self.complete()
        else:
            self._writer.flush()

    def complete(self) -> None:
        """Completes the present file, if there is one."""
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        writer.close()
        path = self._path.with_name(self._path.name.removesuffix(_PART))
        self._path.rename(path)
        self._sizes[path] = self._bytes

    def close(self) -> None:
        """Completes the present file, and lets another process use the folder."""
        try:
            self.complete()
        finally:
            self._lock.close()

    def _open(self) -> None:
        # A server may be started twice in a second, with the same process id if it is that of a container.
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        names = (f"requests-{stamp}-{next(self._numbers):06d}.tfrecord" for _ in itertools.count())
        name = next(name for name in names if self._folder / name not in self._sizes)
        self._path = self._folder / f"{name}{_PART}"
        self._writer = tf.io.TFRecordWriter(str(self._path))
        self._records, self._bytes, self._opened = 0, 0, time.monotonic()

    def _remove_oldest(self, more: int) -> None:
        while self._sizes and sum(self._sizes.values()) + self._bytes + more > self._max_total:
            oldest = next(iter(self._sizes))
            oldest.unlink(missing_ok=True)
            del self._sizes[oldest]


def _locked(path: pathlib.Path) -> IO[bytes]:
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        expected = f"{path.parent} should be a folder that no other server logs requests to"
        raise ConfigError(f"{expected}. Received: the folder of a running one") from error
    return file


def _complete(path: pathlib.Path) -> None:
    """Cuts a file behind its last whole record, and gives it its final name; one without a record is removed."""
    end, size = 0, path.stat().st_size
    with path.open("rb") as file:
        while len(header := file.read(12)) == 12:
            stop = end + FRAME_BYTES + struct.unpack("<Q", header[:8])[0]
            if stop > size:
                break
            file.seek(stop)
            end = stop
    if not end:
        path.unlink()
        return
    os.truncate(path, end)
    path.rename(path.with_name(path.name.removesuffix(_PART)))
