"""Division of a file into ranges that are read independently: bytes of text, row groups of Parquet.

A row of CSV may extend over several lines if a value in it is quoted. Such a row begins on a line with irregular
quoting (a quote within a value or without a counterpart) and has at most `MAX_ROW_LINES` lines. Hence no row extends
over the beginning of a line that `MAX_ROW_LINES` lines without irregular quoting precede, and ranges begin on such
lines only. All rows, rejected rows and line numbers are therefore those of the file read as a whole.
"""

import codecs
import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from transforms.batches.errors import LogError
from transforms.readers.csv_parser import MAX_ROW_LINES, find_irregular_quoting
from transforms.readers.csv_reader import COMPRESSIONS, UTF_8, csv_names
from transforms.readers.file_range import FileRange
from transforms.readers.line_blocks import Block, count_lines
from transforms.readers.log_format import LogFormat
from transforms.readers.registry import resolve_reader
from transforms.storage.files import ByteRange, open_random_access

MIN_RANGE_BYTES = 16 << 20
"""Smallest size of a range; a file is divided if it has at least two ranges of this size."""
_MAX_RANGES = 256
"""Largest number of ranges of a whole log."""
_BEFORE, _AFTER = 1 << 16, 1 << 20
"""Numbers of bytes before and after the wanted beginning of a range among which it is searched for first."""


def choose_range_bytes(log_bytes: int) -> int:
    """Returns the size of a range in bytes, which depends on the size of the log only.

    Args:
        log_bytes: Size of all files in bytes.
    """
    return max(MIN_RANGE_BYTES, -(-log_bytes // _MAX_RANGES))


def indivisible_reason(path: str, log_format: LogFormat) -> str:
    """Returns why a file is read as a whole, whatever its size; empty if it can be divided.

    Args:
        path: Path of the file.
        log_format: Format of the file.
    """
    reader = resolve_reader(log_format.reader, path)
    if reader == "parquet":
        return ""
    if reader != "csv":
        return f"a file of the format {reader}"
    if path.endswith(COMPRESSIONS):
        return "compressed text"
    if codecs.lookup(log_format.encoding).name not in UTF_8:
        return f"text in {log_format.encoding}"
    return ""


def divide(path: str, log_format: LogFormat, range_bytes: int) -> list[FileRange]:
    """Divides a file into ranges of about equal size.

    The ranges of a text file have no line numbers yet: `count_range_lines` and `with_first_lines` add them.

    Args:
        path: Path of the file.
        log_format: Format of the file.
        range_bytes: Wanted size of a range in bytes.

    Returns:
        Ranges in the order of the file, which together are the file.

    Raises:
        LogError: If the file is not of the reader's format.
        FileNotFoundError: If there is no such file.
    """
    if indivisible_reason(path, log_format):
        return [FileRange(path)]
    with open_random_access(path) as stream:
        count = stream.size() // range_bytes
        if count < 2:
            return [FileRange(path)]
        if resolve_reader(log_format.reader, path) == "parquet":
            return _divide_row_groups(path, stream, range_bytes)
        delimiter = csv_names(path, log_format)[1]
        targets = [stream.size() * i // count for i in range(1, count)]
        starts = [0]
        for target in targets:
            start = _row_start(stream, max(target, starts[-1] + 1), delimiter, log_format.quote)
            if start is not None and start > starts[-1]:
                starts.append(start)
    return _build_ranges(path, starts)


def count_range_lines(part: FileRange, log_format: LogFormat) -> int:
    """Counts the lines of a range of a text file; 0 if no range follows it, or if it is not text.

    Args:
        part: Range of a file.
        log_format: Format of the file.
    """
    if part.end is None or resolve_reader(log_format.reader, part.path) != "csv":
        return 0
    with open_random_access(part.path) as stream:
        return count_lines(ByteRange(stream, part.start, part.end))


def with_first_lines(ranges: Iterable[tuple[FileRange, int]]) -> Iterator[FileRange]:
    """Adds the number of its first line to each range of a text file.

    Args:
        ranges: All ranges of one file, in any order, each with its number of lines.

    Yields:
        The ranges in the order of the file.
    """
    line = 1
    for part, lines in sorted(ranges, key=lambda pair: pair[0].number):
        yield part if part.first_line > 1 else dataclasses.replace(part, first_line=line)
        line += lines


def _build_ranges(path: str, starts: Sequence[int], first_lines: Sequence[int] | None = None) -> list[FileRange]:
    ends = [*starts[1:], None]
    lines = first_lines or [1] * len(starts)
    return [FileRange(path, i, *bounds) for i, bounds in enumerate(zip(starts, ends, lines, strict=True))]


def _divide_row_groups(path: str, stream: pa.NativeFile, range_bytes: int) -> list[FileRange]:
    try:
        metadata = pq.ParquetFile(stream).metadata
    except (pa.ArrowException, OSError) as error:
        raise LogError(f"{path}: should be a complete Parquet file. Received: {error}") from error
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    # The sizes of row groups in the metadata are uncompressed; the file's bytes are divided in their proportion.
    sizes = np.array([group.total_byte_size for group in groups], float)
    share = np.append(0, np.cumsum(sizes)[:-1]) / max(sizes.sum(), 1)
    number = np.floor(share * (stream.size() / range_bytes)).astype(int)
    starts = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist()]
    rows = np.append(0, np.cumsum([group.num_rows for group in groups]))
    return _build_ranges(path, starts, [int(rows[start]) + 1 for start in starts])


def _row_start(stream: pa.NativeFile, target: int, delimiter: str, quote: str) -> int | None:
    """Returns the first byte at or after `target` at which a row begins for certain; None if there is none."""
    begin, width = max(0, target - _BEFORE), _AFTER
    while True:
        data = stream.read_at(target + width - begin, begin)
        found = _find_row_start(data, begin, target, delimiter, quote)
        if found is not None or begin + len(data) >= stream.size():
            return found
        width *= 4


def _find_row_start(data: bytes, begin: int, target: int, delimiter: str, quote: str) -> int | None:
    r"""Searches a piece of a file, which begins at byte `begin`, as `_row_start` does.

    A line break \r\n is taken for two lines here, so that a row of CSV has up to twice as many lines.
    """
    lines = data.replace(b"\r", b"\n")
    if begin:  # The first line is incomplete.
        first = lines.find(b"\n") + 1
        if not first:
            return None
        lines, data, begin = lines[first:], data[first:], begin + first
    block = Block(lines[: lines.rfind(b"\n") + 1], 1, last=False)
    starts = np.append(0, block.ends)
    irregular = np.flatnonzero(find_irregular_quoting(block, delimiter, quote))
    row_lines = MAX_ROW_LINES * (2 if b"\r" in data else 1)
    # Number of lines before each start since the last irregular one; at the beginning of a piece they are unknown.
    last = np.searchsorted(irregular, np.arange(len(starts))) - 1
    previous = np.where(last >= 0, irregular[last] if len(irregular) else 0, 0 if begin else -row_lines)
    certain = (np.arange(len(starts)) - previous >= row_lines) if quote else np.ones(len(starts), bool)
    for start in starts[certain & (starts + begin >= target)].tolist():
        within_break = start and data[start - 1 : start + 1] == b"\r\n"
        if start < len(data) and not within_break:
            return int(start + begin)
    return None
