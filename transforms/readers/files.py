"""Opening and listing files, here or on an object store (`gs://`, `s3://`), through pyarrow."""

import fnmatch
import functools
import hashlib
import os
import posixpath
from collections.abc import Iterator, Sequence

import google_crc32c
import pyarrow as pa
from pyarrow import fs

_ANY_DEPTH = "**"


def open_file(path: str) -> pa.NativeFile:
    """A stream of the file's bytes, decompressed where the name ends in .gz, .bz2 or .zst.

    Raises:
        FileNotFoundError: if there is no such file.
    """
    system, name = _resolve(path)
    return system.open_input_stream(name)


def open_stored(path: str) -> pa.NativeFile:
    """A stream of the file's bytes as they are stored.

    Raises:
        FileNotFoundError: if there is no such file.
    """
    system, name = _resolve(path)
    return system.open_input_stream(name, compression=None)


def open_random_access(path: str) -> pa.NativeFile:
    """The file's bytes as they are stored, to be read at any place.

    Raises:
        FileNotFoundError: if there is no such file.
    """
    system, name = _resolve(path)
    return system.open_input_file(name)


def exists(path: str) -> bool:
    """Whether there is a file of that name."""
    system, name = _resolve(path)
    return system.get_file_info(name).type == fs.FileType.File


def is_folder(path: str) -> bool:
    """Whether there is a folder of that name."""
    system, name = _resolve(path)
    return system.get_file_info(name).type == fs.FileType.Directory


def size(path: str) -> int:
    """Bytes of the file, as it is stored, or of all files right in the folder."""
    system, name = _resolve(path)
    info = system.get_file_info(name)
    if info.type != fs.FileType.Directory:
        return int(info.size or 0)
    return sum(int(file.size or 0) for file in system.get_file_info(fs.FileSelector(name)))


def fingerprint(paths: Sequence[str]) -> str:
    """64 hexadecimal digits of the names of files, all on one system, their sizes, and when they changed."""
    digest = hashlib.sha256()
    resolved = [_resolve(path) for path in paths]
    infos = resolved[0][0].get_file_info([name for _, name in resolved]) if resolved else []
    for path, info in zip(paths, infos, strict=True):
        digest.update(f"{path}\0{info.size}\0{info.mtime_ns}\n".encode())
    return digest.hexdigest()


def sampled_checksum(path: str, pieces: int = 8, piece_bytes: int = 1 << 20) -> str:
    """The CRC-32C, in hexadecimal digits, of pieces of a file from its beginning to its end; of all of a small file."""
    with open_random_access(path) as file:
        length, checksum = file.size(), 0
        if length <= pieces * piece_bytes:
            return f"{google_crc32c.value(file.read()):08x}"
        for i in range(pieces):
            file.seek((length - piece_bytes) * i // (pieces - 1))
            checksum = google_crc32c.extend(checksum, file.read(piece_bytes))
    return f"{checksum:08x}"


def find_files(pattern: str) -> list[str]:
    """The files that a pattern fits, sorted.

    In a name `*` stands for any characters, `?` for one and `[ab]` for one of some; a folder that is called `**` stands
    for folders of any depth, none too. A name that begins with a dot or an underscore, which is not part of the data
    (`_SUCCESS`), is only found by a pattern that begins so.

    Args:
        pattern: a path with any of these in its last parts, here or on an object store (`logs/day=*/part-*.parquet`).
    """
    parts = pattern.split("/")
    first = next((i for i, part in enumerate(parts) if _is_wild(part)), len(parts) - 1)
    return sorted(set(_find("/".join(parts[:first]) or ("/" if first else ""), parts[first:])))


def _find(folder: str, parts: Sequence[str]) -> Iterator[str]:
    name, below = parts[0], parts[1:]
    path = posixpath.join(folder, name)
    if not _is_wild(name) or exists(path) or is_folder(path):
        yield from _find(path, below) if below else [path] if exists(path) else []
        return
    system, resolved = _resolve(folder or ".")
    for info in system.get_file_info(fs.FileSelector(resolved, allow_not_found=True)):
        path, holds_files = posixpath.join(folder, info.base_name), info.type == fs.FileType.Directory
        if not _fits(info.base_name, "*" if name == _ANY_DEPTH else name):
            continue
        if holds_files and name == _ANY_DEPTH:
            yield from _find(path, parts)
        elif holds_files and below:
            yield from _find(path, below)
        elif not holds_files and not below:
            yield path
    if name == _ANY_DEPTH and below:
        yield from _find(folder, below)


def _is_wild(name: str) -> bool:
    return any(sign in name for sign in "*?[")


def _fits(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) and (name[0] not in "._" or name[0] == pattern[0])


def _resolve(path: str) -> tuple[fs.FileSystem, str]:
    if "://" not in path:
        return fs.LocalFileSystem(), os.path.abspath(path)
    scheme, _, rest = path.partition("://")
    host, _, name = rest.partition("/")
    system, root = _file_system(f"{scheme}://{host}/")
    return system, posixpath.join(root, name)  # Not parsed as a part of the URI, for which `?` and `%` are signs.


@functools.cache
def _file_system(uri: str) -> tuple[fs.FileSystem, str]:
    return fs.FileSystem.from_uri(uri)
