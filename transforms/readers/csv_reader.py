"""Reader of text files such as CSV and TSV, in batches of string columns with the line of every row and reject."""

import codecs
import contextlib
import csv
import dataclasses
import posixpath
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from transforms.batches.errors import LogError, check_columns
from transforms.batches.raw_batch import RawBatch
from transforms.readers.csv_parser import CsvParser, dialect
from transforms.readers.file_range import FileRange
from transforms.readers.line_blocks import BLOCK_BYTES, BlockReader
from transforms.readers.log_format import LogFormat
from transforms.storage.files import ByteRange, decompressed, open_file, open_random_access, open_stored, position

UTF_8 = ("utf-8", "utf-8-sig")
_OTHER_DELIMITERS = {"\t": "tabs", ";": "semicolons", ",": "commas", "|": "vertical bars"}
COMPRESSIONS = (".gz", ".bz2", ".zst")
_DEFAULT = LogFormat()


def read_csv(
    path: str,
    columns: Sequence[str],
    log_format: LogFormat = _DEFAULT,
    part: FileRange | None = None,
    *,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[RawBatch]:
    r"""Reads columns of a text file with one row per line, such as CSV or TSV.

    The file is decompressed if its name ends in .gz, .bz2 or .zst, and decoded as `log_format.encoding` says. A byte
    order mark at the beginning of a line, as files that were joined have it, is removed. Lines end in `\n`, `\r\n` or
    `\r`, which become `\n` within a value. An empty value is missing (null). Blank lines are skipped.

    A value may be quoted, with quotes in it doubled, and may then hold line breaks; such a row has the number of its
    first line. If a quote is not closed within `transforms.readers.csv_parser.MAX_ROW_LINES` lines, only the line on
    which it is opened is rejected.

    Args:
        path: Path of the file, local or on an object store.
        columns: Names of the columns that are read, in this order.
        log_format: Delimiter, quote, encoding, header and spaces of the file.
        part: Range of the file that is read; None for all of it.
        block_bytes: Number of bytes that are read at a time.

    Yields:
        Rows in the order of the file. Rows with too few or too many values (`wrong_column_count`) and lines that are
        not UTF-8 (`invalid_encoding`) are in `rejects`.

    Raises:
        MissingColumnError: If the header lacks one of `columns`.
        LogError: If the file is empty, has two columns of one name, or cannot be read to its end.
        FileNotFoundError: If there is no such file.
    """
    with contextlib.ExitStack() as opened:
        blocks, stored = _open_blocks(path, log_format, part, block_bytes, opened)
        try:
            if part is None or part.start == 0:
                names, delimiter = _read_names(blocks, path, log_format)
            else:
                names, delimiter = csv_names(path, log_format)
            check_columns(path, names, columns, _delimiter_hint(names, delimiter))
            parser = CsvParser(path, names, columns, delimiter, log_format.quote, log_format.strip)
            for batch in parser.parse_blocks(blocks):
                yield dataclasses.replace(batch, position=stored())
        except UnicodeError as error:
            expected = f"should be {log_format.encoding}, but decoding fails at line {blocks.next_line:,} or later"
            raise LogError(f"{path}: {expected}. Received: {error}. Set data.encoding.") from error
        except OSError as error:
            expected = f"should be a complete file, but reading fails at line {blocks.next_line:,} or later"
            raise LogError(f"{path}: {expected}. Received: {error}") from error


def _open_blocks(
    path: str, log_format: LogFormat, part: FileRange | None, block_bytes: int, opened: contextlib.ExitStack
) -> tuple[BlockReader, Callable[[], int]]:
    """Opens a file or a range of it.

    Returns:
        The reader of its blocks, and a function that returns the number of its stored bytes that have been read.
    """
    if part is not None and not part.is_whole:
        piece = ByteRange(opened.enter_context(open_random_access(path)), part.start, part.end)
        return BlockReader(piece, block_bytes, part.first_line), lambda: piece.tell() - part.start
    stored = opened.enter_context(open_stored(path))
    stream = opened.enter_context(decompressed(path, stored))
    return BlockReader(_decoded(stream, log_format.encoding), block_bytes), lambda: position(stored)


def csv_names(path: str, log_format: LogFormat = _DEFAULT) -> tuple[list[str], str]:
    """Reads the names of the columns of a text file, and determines its delimiter.

    Args:
        path: Path of the file.
        log_format: Format of the file.

    Returns:
        The names of the columns, and the delimiter.

    Raises:
        LogError: If the file is empty or its header is no row.
        FileNotFoundError: If there is no such file.
    """
    with open_file(path) as stream:
        try:
            return _read_names(BlockReader(_decoded(stream, log_format.encoding)), path, log_format)
        except (UnicodeError, OSError) as error:
            expected = f"should begin with a line in {log_format.encoding}"
            raise LogError(f"{path}: {expected}. Received: {error}. Set data.encoding.") from error


def _decoded(stream: pa.NativeFile, encoding: str) -> pa.NativeFile:
    """Converts a stream to UTF-8; invalid lines of a file in UTF-8 are found later, one by one."""
    if codecs.lookup(encoding).name in UTF_8:
        return stream
    return pa.transcoding_input_stream(stream, encoding, "utf-8")


def _read_names(blocks: BlockReader, path: str, log_format: LogFormat) -> tuple[list[str], str]:
    """Returns the names of the columns, and the delimiter. The header is read unless the format gives it."""
    try:
        line = blocks.peek_line()
        delimiter = log_format.delimiter or _default_delimiter(path, line)
        if log_format.header:
            return list(log_format.header), delimiter
        blocks.skip_line()
        if not line.strip():
            raise ValueError(f"should be the names of the columns. Received: {line!r}")
        names = next(csv.reader([line], strict=True, **dialect(delimiter, log_format.quote, strip=True)))
    except UnicodeError:
        raise
    except (ValueError, csv.Error) as error:
        what = str(error) if isinstance(error, ValueError) else f"should be a row of CSV. Received: {error}"
        raise LogError(f"{path}: the header, the first line, {what}") from error
    return [name.strip() for name in names], delimiter


def _default_delimiter(path: str, line: str) -> str:
    name = path.lower()
    for extension in COMPRESSIONS:
        name = name.removesuffix(extension)
    extension = posixpath.splitext(name)[1]
    return "\t" if extension == ".tsv" or (extension == ".txt" and "\t" in line) else ","


def _delimiter_hint(names: Sequence[str], delimiter: str) -> str:
    if len(names) > 1:
        return ""
    found = [
        f"The line has {word}: set data.delimiter to {sign!r}."
        for sign, word in _OTHER_DELIMITERS.items()
        if sign != delimiter and sign in names[0]
    ]
    return found[0] if found else ""
