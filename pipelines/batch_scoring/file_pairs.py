"""Files to score, and the files that get their scores."""

import os
import posixpath
from collections.abc import Sequence

from pipelines.batch_scoring.beam_scores import FilePair
from pipelines.batch_scoring.writers import WRITERS
from tfmtl.config import ConfigError
from transforms.readers.log_format import AUTO
from transforms.readers.registry import FILE_PATTERNS, resolve_reader

REJECTS = ".rejects.jsonl"
"""End of the name of the file of rejected rows."""
_FORMATS = {"csv": ".csv", "parquet": ".parquet", "tfrecord": ".tfrecord.gz"}
FORMATS = tuple(_FORMATS)
"""Names of the formats that can be written."""


def target_kind(path: str) -> str | None:
    """Returns the end of a file's name by which its writer is chosen; None if the name has none.

    Args:
        path: Path of the file to write.

    Example:
        >>> from pipelines.batch_scoring.file_pairs import target_kind
        >>> target_kind("scores.csv.gz"), target_kind("scores")
        ('.csv.gz', None)
    """
    return next((kind for kind in sorted(WRITERS, key=len, reverse=True) if path.endswith(kind)), None)


def log_root(sources: Sequence[str], data: str) -> str | None:
    """Returns the folder below which the names of folders are columns; None if `data` is one file.

    Args:
        sources: Paths of the files.
        data: The file, folder or pattern that the user gave.
    """
    if list(sources) == [data]:
        return None
    return posixpath.dirname(sources[0]) if len(sources) == 1 else os.path.commonpath(sources)


def file_pairs(sources: Sequence[str], folder: str, root: str, name: str | None) -> list[FilePair]:
    """Returns a target in a folder for each file: the same path below the root, with the end of the new format.

    Args:
        sources: Paths of the files.
        folder: Folder to write to.
        root: Folder of the files.
        name: One of `FORMATS`; None for the format of each file.

    Raises:
        ConfigError: If two files have the same target.
    """
    pairs: dict[str, FilePair] = {}
    for source in sources:
        reader = resolve_reader(AUTO, source)
        kind = _FORMATS[name or reader]
        relative = os.path.relpath(source, root)
        target = posixpath.join(folder, _without_extension(relative, reader) + kind)
        if target in pairs:
            raise ConfigError(
                f"{pairs[target].source} and {source} should have different names apart from their extensions, because "
                f"both of their scores would be in {os.path.relpath(target, folder)}. Score them one at a time."
            )
        pairs[target] = FilePair(source, target, kind, target.removesuffix(kind) + REJECTS)
    return list(pairs.values())


def _without_extension(path: str, reader: str) -> str:
    folder, name = posixpath.split(path)
    patterns = sorted((pattern.removeprefix("*").rstrip("*") for pattern in FILE_PATTERNS[reader]), key=len)
    for extension in [*reversed(patterns), ".gz"]:
        if name.endswith(extension) and name != extension:
            name = name.removesuffix(extension)
            break
    return posixpath.join(folder, name.removesuffix(".tfrecord") if reader == "tfrecord" else name)
