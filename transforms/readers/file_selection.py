"""Files that a path or pattern stands for, without those that are no data."""

import dataclasses
import posixpath
from collections.abc import Sequence

from transforms.batches.errors import format_names
from transforms.readers.log_format import NAMES
from transforms.readers.movielens import ratings_path
from transforms.readers.registry import FILE_PATTERNS, matches
from transforms.storage.files import exists, find_files, is_folder, sizes

_ALL_PATTERNS: tuple[str, ...] = sum(FILE_PATTERNS.values(), ())
_COMPRESSIONS = (".gz", ".bz2", ".zst")
_DOCUMENTS = ("readme*", "license*", "*.md", "*.html", "*.pdf", "*.json", "*.yaml", "*.yml", "*.py", "*.sh", "*.log")


@dataclasses.dataclass(frozen=True)
class FileSelection:
    """Files of a log.

    Attributes:
        paths: Paths of the files to read, sorted.
        ignored: Reason by path of each file that matches but is not read.
    """

    paths: list[str]
    ignored: dict[str, str]

    def ignored_lines(self) -> list[str]:
        """Returns one line for each reason, which names the ignored files."""
        reasons = dict.fromkeys(self.ignored.values())
        names = {
            reason: [posixpath.basename(p) for p, why in self.ignored.items() if why == reason] for reason in reasons
        }
        return [f"not read, {reason}: {format_names(found)}" for reason, found in names.items()]


def expand(reader: str, base_path: str) -> list[str]:
    """Returns the paths of the files that `select_files` selects.

    Args:
        reader: As in `select_files`.
        base_path: As in `select_files`.
    """
    return select_files(reader, base_path).paths


def select_files(reader: str, base_path: str) -> FileSelection:
    """Finds the files that a path or pattern stands for.

    Of several files, the following are ignored:

    - files of 0 bytes;
    - files whose names are not those of data (README.txt, notes.md), if the names of other files are those of data
      (log.csv, part-0.tsv.gz, day.parquet). If no name is, all files are read except documents (README, *.md, *.json).

    Args:
        reader: One of `transforms.readers.log_format.NAMES`.
        base_path: For `movielens`, the folder of the files. For other readers a file, a folder (the files in it whose
            names match the reader's patterns), or a pattern of `transforms.storage.files.find_files`, such as
            `logs/day=*/part-*.parquet`.

    Raises:
        ValueError: If there is no such reader.
        FileNotFoundError: If there are no files with data.
    """
    if reader not in NAMES:
        raise ValueError(f"reader should be one of {', '.join(NAMES)}. Received: {reader!r}")
    if reader == "movielens":
        ratings_path(base_path)
        return FileSelection([base_path], {})
    if exists(base_path):
        return FileSelection([base_path], {})
    patterns = FILE_PATTERNS.get(reader, _ALL_PATTERNS)
    if is_folder(base_path):
        found = [path for path in find_files(f"{base_path}/*") if matches(posixpath.basename(path), patterns)]
    else:
        found = find_files(base_path)
    ignored = _find_ignored(found, [pattern for pattern in patterns if ".txt" not in pattern])
    paths = [path for path in found if path not in ignored]
    if not paths:
        kinds = ", ".join(pattern for pattern in patterns if not pattern.endswith(_COMPRESSIONS))
        expected = f"a file, a folder of files ({kinds}) or a pattern (*, and ** for folders of any depth)"
        lines = "".join(f" ({line})" for line in FileSelection(paths, ignored).ignored_lines())
        raise FileNotFoundError(f"should be {expected}. Received: {base_path!r}{lines}")
    return FileSelection(paths, ignored)


def _find_ignored(paths: Sequence[str], data_patterns: Sequence[str]) -> dict[str, str]:
    ignored = {}
    names = {path: posixpath.basename(path).lower() for path in paths}
    is_empty = {path: size == 0 for path, size in zip(paths, sizes(paths), strict=True)}
    has_data = any(matches(name, data_patterns) and not matches(name, _DOCUMENTS) for name in names.values())
    for path, name in names.items():
        is_document = matches(name, _DOCUMENTS)
        if is_document or (has_data and not matches(name, data_patterns)):
            ignored[path] = "not the name of a data file"
        elif is_empty[path]:
            ignored[path] = "0 bytes"
    return ignored
