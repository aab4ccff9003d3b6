"""Files to score, and the files that get their scores."""

import itertools
import os
import posixpath
from collections.abc import Sequence

from pipelines.batch_scoring.beam_scores import FilePair
from pipelines.batch_scoring.writers import WRITERS
from tfmtl.config import ConfigError
from transforms.readers.log_format import AUTO
from transforms.readers.registry import resolve_reader
from transforms.storage.files import is_folder

REJECTS = ".rejects.jsonl"
"""End of the name of the file of rejected rows."""
_FORMATS = {"csv": ".csv", "parquet": ".parquet", "tfrecord": ".tfrecord.gz"}
_COMPRESSIONS = (".gz", ".bz2", ".zst")
_EXTENSIONS = (".csv", ".tsv", ".txt", ".parquet", ".parq", ".pq", ".tfrecord")


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


def log_root(data: str) -> str:
    """Returns the folder below which the names of folders are columns, whatever files there are.

    It is the longest beginning of the path that has no wildcard and no folder such as `day=2026-11-18`.

    Args:
        data: Absolute path of a file or a folder, or a pattern.

    Example:
        >>> from pipelines.batch_scoring.file_pairs import log_root
        >>> log_root("/log/day=2026-11-18/*.csv"), log_root("/log/a.csv")
        ('/log', '/log')
    """
    parts = data.split("/")
    fixed = list(itertools.takewhile(lambda part: not set("*?[=") & set(part), parts))
    folder = "/".join(fixed)
    return posixpath.dirname(folder) if len(fixed) == len(parts) and not is_folder(data) else folder


def file_pairs(
    sources: Sequence[str], folder: str, root: str, reader: str = AUTO, name: str | None = None
) -> list[FilePair]:
    """Returns a target in a folder for each file: the same path below the root, with the end of the new format.

    Args:
        sources: Paths of the files.
        folder: Folder to write to.
        root: Folder of the files.
        reader: Reader of the files, one of `transforms.readers.log_format.NAMES` for single files.
        name: Format to write, `csv`, `parquet` or `tfrecord`; None for that of each file.

    Raises:
        ConfigError: If two files have the same target.

    Example:
        >>> from pipelines.batch_scoring.file_pairs import file_pairs
        >>> [pair.target for pair in file_pairs(["log/day=1/a.tsv.gz"], "scores", "log")]
        ['scores/day=1/a.csv']
    """
    pairs: dict[str, FilePair] = {}
    for source in sources:
        kind = _FORMATS[name or resolve_reader(reader, source)]
        target = posixpath.join(folder, _without_extension(os.path.relpath(source, root)) + kind)
        if target in pairs:
            raise ConfigError(
                f"{pairs[target].source} and {source} should have different names apart from their extensions, because "
                f"both of their scores would be in {os.path.relpath(target, folder)}. Score them one at a time."
            )
        pairs[target] = FilePair(source, target, kind, target.removesuffix(kind) + REJECTS)
    return list(pairs.values())


def _without_extension(path: str) -> str:
    for extensions in (_COMPRESSIONS, _EXTENSIONS):
        path = next((path.removesuffix(one) for one in extensions if path.endswith(one)), path)
    return path
