"""Access to files on local disks and object stores (`gs://`, `s3://`, `minio://`) through pyarrow's file systems.

These functions read, write, list, move and remove the files of raw logs and ingested logs (logs in any format, the
manifest, counts of tokens and rejected rows) and those of served models. `tf.io` and `tf.io.gfile` remain where
TensorFlow or TFX opens a file itself: it writes TFRecords, reads them in `tf.data`, and opens vocabularies, models and
the artifacts of a pipeline.
"""

import fnmatch
import hashlib
import os
import posixpath
from collections.abc import Iterator, Sequence

import google_crc32c
import pyarrow as pa
from pyarrow import fs

from transforms.storage.file_systems import OBJECT_STORES, resolve

_ANY_DEPTH = "**"


def open_file(path: str) -> pa.NativeFile:
    """Opens a file for sequential reading, decompressed if its name ends in .gz, .bz2 or .zst.

    Raises:
        FileNotFoundError: If the file does not exist.
    """
    system, name = resolve(path)
    return system.open_input_stream(name)


def open_stored(path: str) -> pa.NativeFile:
    """Opens a file for sequential reading of its stored bytes, without decompression.

    Raises:
        FileNotFoundError: If the file does not exist.
    """
    system, name = resolve(path)
    if isinstance(system, fs.LocalFileSystem):
        return system.open_input_file(name)  # It has a position, which a stream has not.
    return system.open_input_stream(name, compression=None)


def position(stream: pa.NativeFile) -> int:
    """Returns the number of bytes of a stream that have been read; 0 if it does not know, as on an object store.

    Args:
        stream: Stream that `open_stored` returned.
    """
    return int(stream.tell()) if stream.seekable() else 0


def decompressed(path: str, stored: pa.NativeFile) -> pa.NativeFile:
    """Returns the bytes of a stored file, decompressed if its name ends in .gz, .bz2 or .zst.

    Args:
        path: Path of the file.
        stored: Stream of its stored bytes.
    """
    endings = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
    codec = next((codec for ending, codec in endings.items() if path.endswith(ending)), None)
    return stored if codec is None else pa.CompressedInputStream(stored, codec)


def open_random_access(path: str) -> pa.NativeFile:
    """Opens a file for reading of its stored bytes at any position.

    Raises:
        FileNotFoundError: If the file does not exist.
    """
    system, name = resolve(path)
    return system.open_input_file(name)


class ByteRange:
    """Bytes of an open file between two positions, as a stream that can be read.

    Args:
        file: File that `open_random_access` returned.
        start: Position of the first byte.
        end: Position after the last byte; None for the end of the file.
    """

    def __init__(self, file: pa.NativeFile, start: int = 0, end: int | None = None):
        self._file = file
        self._position = start
        self._end = file.size() if end is None else end

    def read(self, size: int) -> bytes:
        """Returns the next bytes, at most `size`; none at the end."""
        data: bytes = self._file.read_at(max(0, min(size, self._end - self._position)), self._position)
        self._position += len(data)
        return data

    def tell(self) -> int:
        """Returns the position in the file."""
        return self._position


def open_output(path: str) -> pa.NativeFile:
    """Opens a file for writing bytes, uncompressed; its folder is created if it does not exist."""
    make_folder(posixpath.dirname(path))
    system, name = resolve(path)
    return system.open_output_stream(name, compression=None)


def exists(path: str) -> bool:
    """Returns True if a file of that name exists."""
    system, name = resolve(path)
    return bool(system.get_file_info(name).type == fs.FileType.File)


def is_folder(path: str) -> bool:
    """Returns True if a folder of that name exists."""
    system, name = resolve(path)
    return bool(system.get_file_info(name).type == fs.FileType.Directory)


def size(path: str) -> int:
    """Returns the stored size in bytes of a file, or of all files directly in a folder."""
    system, name = resolve(path)
    info = system.get_file_info(name)
    if info.type != fs.FileType.Directory:
        return int(info.size or 0)
    return sum(int(file.size or 0) for file in system.get_file_info(fs.FileSelector(name)))


def sizes(paths: Sequence[str]) -> list[int]:
    """Returns the stored size in bytes of each of several files on one file system, which is asked for all at once."""
    return [int(info.size or 0) for info in _infos(paths)]


def list_folder(path: str) -> list[str]:
    """Returns the sorted names of the files and folders in a folder; none if the folder does not exist."""
    system, name = resolve(path)
    infos = system.get_file_info(fs.FileSelector(name, allow_not_found=True))
    return sorted(info.base_name for info in infos)


def make_folder(path: str) -> None:
    """Creates a folder and its parents if they do not exist; does nothing on an object store, which has no folders."""
    system, name = resolve(path or ".")
    if system.type_name not in OBJECT_STORES:
        system.create_dir(name, recursive=True)


def move(source: str, target: str) -> None:
    """Renames a file within one file system; a file named `target` is replaced, and its folder is created."""
    make_folder(posixpath.dirname(target))
    system, name = resolve(source)
    system.move(name, resolve(target)[1])


def remove(path: str) -> None:
    """Removes a file, or a folder with all that it holds; does nothing if neither exists."""
    system, name = resolve(path)
    kind = system.get_file_info(name).type
    if kind == fs.FileType.Directory:
        system.delete_dir(name)
    elif kind != fs.FileType.NotFound:
        system.delete_file(name)


def link_or_copy(source: str, target: str) -> None:
    """Creates `target` as a hard link to a file, or as a copy on another disk or an object store."""
    make_folder(posixpath.dirname(target))
    remove(target)  # It may already be a link to `source`, which copying into it would truncate.
    try:
        os.link(source, target)
    except OSError:
        copy_file(source, target)


def copy_file(source: str, target: str) -> None:
    """Copies a file, also between file systems; a file named `target` is replaced, and its folder is created."""
    make_folder(posixpath.dirname(target))
    (source_system, source_name), (target_system, target_name) = resolve(source), resolve(target)
    fs.copy_files(source_name, target_name, source_filesystem=source_system, destination_filesystem=target_system)


def read_text(path: str) -> str:
    """Returns the content of a text file in UTF-8.

    Raises:
        FileNotFoundError: If the file does not exist.
    """
    with open_stored(path) as file:
        return bytes(file.read()).decode()


def write_text(path: str, text: str) -> None:
    """Writes a text file in UTF-8; an existing file is replaced, and the folder is created if it does not exist."""
    with open_output(path) as file:
        file.write(text.encode())


def files_below(folder: str) -> list[str]:
    """Returns the sorted paths, relative to a folder, of all files below it; none if the folder does not exist."""
    system, name = resolve(folder)
    infos = system.get_file_info(fs.FileSelector(name, recursive=True, allow_not_found=True))
    start = len(name.rstrip("/")) + 1
    return sorted(info.path[start:] for info in infos if info.type == fs.FileType.File)


def fingerprint(paths: Sequence[str]) -> str:
    """Returns a SHA-256 of the names, sizes and modification times of files on one file system, in hexadecimal."""
    digest = hashlib.sha256()
    for path, info in zip(paths, _infos(paths), strict=True):
        digest.update(f"{path}\0{info.size}\0{info.mtime_ns}\n".encode())
    return digest.hexdigest()


def _infos(paths: Sequence[str]) -> list[fs.FileInfo]:
    resolved = [resolve(path) for path in paths]
    infos: list[fs.FileInfo] = resolved[0][0].get_file_info([name for _, name in resolved]) if resolved else []
    return infos


def sampled_checksum(path: str, pieces: int = 8, piece_bytes: int = 1 << 20) -> str:
    """Returns the CRC-32C of evenly spaced pieces of a file, the first and last bytes included, in hexadecimal.

    The whole file is read if it is not larger than all pieces together.

    Args:
        path: File whose stored bytes are read.
        pieces: Number of pieces.
        piece_bytes: Size of a piece in bytes.

    Returns:
        A string of 8 hexadecimal digits.
    """
    with open_random_access(path) as file:
        length, checksum = file.size(), 0
        if length <= pieces * piece_bytes:
            return f"{google_crc32c.value(file.read()):08x}"
        for i in range(pieces):
            file.seek((length - piece_bytes) * i // (pieces - 1))
            checksum = google_crc32c.extend(checksum, file.read(piece_bytes))
    return f"{checksum:08x}"


def find_files(pattern: str) -> list[str]:
    """Returns the files that match a pattern, sorted.

    In a name, `*` matches any characters, `?` one character, and `[ab]` one of the listed characters. A folder named
    `**` matches any number of nested folders, including none. Names that begin with a dot or an underscore, such as
    `_SUCCESS`, are not data: they match only a pattern that begins with that character.

    Args:
        pattern: Path with wildcards, on a local disk or an object store (`logs/day=*/part-*.parquet`).
    """
    parts = pattern.split("/")
    first = next((i for i, part in enumerate(parts) if _has_wildcard(part)), len(parts) - 1)
    return sorted(set(_find("/".join(parts[:first]) or ("/" if first else ""), parts[first:])))


def _find(folder: str, parts: Sequence[str]) -> Iterator[str]:
    name, below = parts[0], parts[1:]
    path = posixpath.join(folder, name)
    if not _has_wildcard(name) or exists(path) or is_folder(path):
        yield from _find(path, below) if below else [path] if exists(path) else []
        return
    system, resolved = resolve(folder or ".")
    for info in system.get_file_info(fs.FileSelector(resolved, allow_not_found=True)):
        path, is_directory = posixpath.join(folder, info.base_name), info.type == fs.FileType.Directory
        if not _matches(info.base_name, "*" if name == _ANY_DEPTH else name):
            continue
        if is_directory and name == _ANY_DEPTH:
            yield from _find(path, parts)
        elif is_directory and below:
            yield from _find(path, below)
        elif not is_directory and not below:
            yield path
    if name == _ANY_DEPTH and below:
        yield from _find(folder, below)


def _has_wildcard(name: str) -> bool:
    return any(sign in name for sign in "*?[")


def _matches(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) and (name[0] not in "._" or name[0] == pattern[0])
