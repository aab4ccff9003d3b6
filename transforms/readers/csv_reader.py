"""Reads CSV files in batches of text columns, with the exact line number of every row, whole or cut."""

import csv
from collections.abc import Iterator, Sequence

from transforms.batches.raw_batch import RawBatch
from transforms.readers.csv_parser import CsvParser
from transforms.readers.line_blocks import BLOCK_BYTES, BlockReader
from transforms.storage.files import open_file


class MissingColumnError(ValueError):
    """A file does not have a column that the data set needs."""


def read_csv(path: str, columns: Sequence[str], *, block_bytes: int = BLOCK_BYTES) -> Iterator[RawBatch]:
    r"""Reads the `columns` of a CSV file with a header, in batches of about `block_bytes`.

    An empty cell is a missing value (null). Blank lines are no rows. The file is UTF-8, with or without byte order
    mark, and is decompressed where its name ends in .gz, .bz2 or .zst. Lines end in `\n`, `\r\n` or `\r`, which
    become `\n` within a cell.

    A cell may be quoted, with quotes in it doubled, and may then hold line breaks: such a row has the number of its
    first line, and the lines after it are still counted right. A quote that is not closed within
    `cutter.MAX_ROW_LINES` lines costs its own line only: it is rejected, and reading goes on with the next one.

    Args:
        path: of the file, here or on an object store.
        columns: those that are kept, in this order.
        block_bytes: how much is read at a time.

    Yields:
        The rows in the order of the file. Rows with too few or too many cells (`wrong_column_count`) and lines that are not UTF-8
        (`invalid_encoding`) are in `rejects`.

    Raises:
        MissingColumnError: if the header lacks one of `columns`.
        ValueError: if the file is empty, names a column twice, or cannot be read to its end.
        FileNotFoundError: if there is no such file.
    """
    with open_file(path) as stream:
        blocks = BlockReader(stream, block_bytes)
        try:
            names = _header(blocks, path, columns)
            yield from CsvParser(path, names, columns).cut_all(blocks)
        except OSError as error:
            expected = f"should be a whole file, but cannot be read on from line {blocks.next_line:,} or after"
            raise ValueError(f"{path}: {expected}. Received: {error}") from error


def _header(blocks: BlockReader, path: str, columns: Sequence[str]) -> list[str]:
    try:
        line = blocks.header()
        if not line.strip():
            raise ValueError(f"should be the names of the columns. Received: {line!r}")
        names = next(csv.reader([line], strict=True))
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path}: the header, the first line, {_as_message(error)}") from error
    missing = [name for name in columns if name not in names]
    if missing:
        expected = f"a header with the columns {', '.join(columns)}, of which {', '.join(missing)} are missing"
        raise MissingColumnError(f"{path}: should have {expected}. Received: {', '.join(names)}")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"{path}: the header should name a column once. Received twice: {', '.join(repeated)}")
    return names


def _as_message(error: Exception) -> str:
    return f"should be a row of CSV. Received: {error}" if isinstance(error, csv.Error) else str(error)
