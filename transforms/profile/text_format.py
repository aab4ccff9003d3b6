"""Detection of the format of a text file: encoding, delimiter, spaces around values, and whether there is a header."""

import csv
import dataclasses
import posixpath
from collections.abc import Sequence

from transforms.batches.errors import LogError
from transforms.batches.parsing import parse_number
from transforms.readers.csv_parser import dialect
from transforms.readers.csv_reader import csv_names
from transforms.readers.log_format import LogFormat
from transforms.storage.files import open_file

_HEAD_BYTES = 1 << 18
_DELIMITERS = ("\t", ",", ";", "|", "\x01")
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclasses.dataclass(frozen=True)
class DetectedFormat:
    """Format of a text file.

    Attributes:
        log_format: The format.
        decisions: One sentence for each field that was detected and differs from its default.
    """

    log_format: LogFormat
    decisions: tuple[str, ...]


def detect_format(path: str, given: LogFormat) -> DetectedFormat:
    """Detects the fields of a text file's format that are not given.

    Args:
        path: Path of the file.
        given: Format with the fields that are known.

    Raises:
        LogError: If the file is empty.
        FileNotFoundError: If there is no such file.
    """
    with open_file(path) as stream:
        head: bytes = stream.read(_HEAD_BYTES)
    if not head.strip():
        raise LogError(f"{path}: should be a log with at least one row. Received: an empty file")
    decisions = []
    log_format = given
    if given.encoding == LogFormat.encoding and (encoding := _encoding(head)) != given.encoding:
        log_format = dataclasses.replace(log_format, encoding=encoding)
        decisions.append(f"The text is not UTF-8 and is read as {encoding}.")
    lines = _lines(head, log_format.encoding)
    if not log_format.delimiter:
        by_name = csv_names(path, dataclasses.replace(log_format, header=()))[1]
        delimiter = _delimiter(lines, by_name)
        if delimiter != by_name:
            log_format = dataclasses.replace(log_format, delimiter=delimiter)
            decisions.append(f"The delimiter is {delimiter!r}.")
    delimiter = log_format.delimiter or by_name
    rows = _rows(lines, delimiter, log_format)
    cells = [cell for row in rows[1:] for cell in row[1:] if cell]
    if not given.strip and cells and sum(cell[0] in " \t" for cell in cells) > 0.9 * len(cells):
        log_format = dataclasses.replace(log_format, strip=True)
        decisions.append("Spaces around the values are removed.")
    if not given.header and not _has_header(rows):
        names = tuple(f"column_{i}" for i in range(1, len(rows[0]) + 1))
        log_format = dataclasses.replace(log_format, header=names)
        name = posixpath.basename(path)
        decisions.append(f"{name} has no header: its columns are named column_1 to column_{len(names)} (see --header).")
    return DetectedFormat(log_format, tuple(decisions))


def _encoding(head: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return encoding
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # The last character may be incomplete.
            return "cp1252"
    return "utf-8"


def _lines(head: bytes, encoding: str) -> list[str]:
    lines = [line for line in head.decode(encoding, "replace").lstrip("\ufeff").splitlines() if line.strip()]
    return lines[:-1][:200] if len(lines) > 2 else lines


def _delimiter(lines: Sequence[str], by_name: str) -> str:
    """Returns the delimiter that occurs equally often in most lines; that of the file's name if it occurs."""
    first = lines[0]
    if by_name in first:
        return by_name
    candidates = {
        sign: sum(line.count(sign) == first.count(sign) for line in lines) for sign in _DELIMITERS if sign in first
    }
    return max(candidates, key=lambda sign: (candidates[sign], first.count(sign))) if candidates else by_name


def _rows(lines: Sequence[str], delimiter: str, log_format: LogFormat) -> list[list[str]]:
    options = dialect(delimiter, log_format.quote, strip=False)
    return [row for row in csv.reader(lines, **options) if row]


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Returns False if a cell of the first row is a number or empty."""
    names = [cell.strip() for cell in rows[0]]
    while names and not names[-1]:  # A trailing delimiter.
        names.pop()
    return all(names) and not any(parse_number(name) is not None for name in names)
