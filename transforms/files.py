"""Opening and listing files, here or on an object store (`gs://`, `s3://`), through pyarrow."""

import fnmatch
import os
import posixpath

import pyarrow as pa
from pyarrow import fs


def open_file(path: str) -> pa.NativeFile:
    """A stream of the file's bytes, decompressed where the name ends in .gz, .bz2 or .zst.

    Raises:
        FileNotFoundError: if there is no such file.
    """
    system, name = _resolve(path)
    return system.open_input_stream(name)


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


def list_files(folder: str, patterns: tuple[str, ...]) -> list[str]:
    """The files right in `folder` whose name fits one of `patterns` (`*.csv`), sorted."""
    system, name = _resolve(folder)
    infos = system.get_file_info(fs.FileSelector(name, allow_not_found=True))
    names = [info.base_name for info in infos if info.type == fs.FileType.File]
    return [posixpath.join(folder, base) for base in sorted(names) if _fits(base, patterns)]


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _resolve(path: str) -> tuple[fs.FileSystem, str]:
    if "://" in path:
        return fs.FileSystem.from_uri(path)
    return fs.LocalFileSystem(), os.path.abspath(path)
