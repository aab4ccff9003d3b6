"""Reader of CSV files, in batches of string columns with the line number of every row and reject."""

import csv
from collections.abc import Iterator, Sequence

from transforms.batches.raw_batch import RawBatch
from transforms.readers.csv_parser import CsvParser
from transforms.readers.line_blocks import BLOCK_BYTES, BlockReader
from transforms.storage.files import open_file


class MissingColumnError(ValueError):
    """Error of a file that lacks a column of the dataset."""


def read_csv(path: str, columns: Sequence[str], *, block_bytes: int = BLOCK_BYTES) -> Iterator[RawBatch]:
    r"""Reads columns of a CSV file with a header.

    The file is UTF-8, with or without byte order mark, and is decompressed if its name ends in .gz, .bz2 or .zst. Lines
    end in `\n`, `\r\n` or `\r`, which become `\n` within a value. An empty value is missing (null). Blank lines are
    skipped.

    A value may be quoted, with quotes in it doubled, and may then hold line breaks; such a row has the number of its
    first line. If a quote is not closed within `transforms.readers.csv_parser.MAX_ROW_LINES` lines, only the line on
    which it is opened is rejected.

    Args:
        path: Path of the file, local or on an object store.
        columns: Names of the columns that are read, in this order.
        block_bytes: Number of bytes that are read at a time.

    Yields:
        Rows in the order of the file. Rows with too few or too many values (`wrong_column_count`) and lines that are
        not UTF-8 (`invalid_encoding`) are in `rejects`.

    Raises:
        MissingColumnError: If the header lacks one of `columns`.
        ValueError: If the file is empty, has two columns of one name, or cannot be read to its end.
        FileNotFoundError: If there is no such file.
    """
    with open_file(path) as stream:
        blocks = BlockReader(stream, block_bytes)
        try:
            names = _read_names(blocks, path, columns)
            yield from CsvParser(path, names, columns).parse_blocks(blocks)
        except OSError as error:
            expected = f"should be a complete file, but reading fails at line {blocks.next_line:,} or later"
            raise ValueError(f"{path}: {expected}. Received: {error}") from error


def _read_names(blocks: BlockReader, path: str, columns: Sequence[str]) -> list[str]:
    """Reads the names of the file's columns and checks that they include `columns`."""
    try:
        line = blocks.read_header()
        if not line.strip():
            raise ValueError(f"should be the names of the columns. Received: {line!r}")
        names = next(csv.reader([line], strict=True))
    except csv.Error as error:
        raise ValueError(f"{path}: the header, the first line, should be a row of CSV. Received: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path}: the header, the first line, {error}") from error
    missing = [name for name in columns if name not in names]
    if missing:
        expected = f"a header with the columns {', '.join(columns)}, of which {', '.join(missing)} are missing"
        raise MissingColumnError(f"{path}: should have {expected}. Received: {', '.join(names)}")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"{path}: the header should name each column once. Received twice: {', '.join(repeated)}")
    return names
