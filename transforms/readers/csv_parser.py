"""Cuts blocks of lines into text columns: whole lines at once by Arrow, lines with odd quotes one by one."""

import csv
import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.csv

from transforms.batches.raw_batch import RawBatch, Reject
from transforms.batches.reasons import INVALID_ENCODING, WRONG_COLUMN_COUNT
from transforms.readers.line_blocks import NEWLINE, QUOTE, Block, BlockReader

MAX_ROW_LINES = 100


@dataclasses.dataclass
class _QuotedRows:
    """What became of the lines with odd quotes; all lines by their index in the block.

    Attributes:
        rows: the cells of the rows among them.
        starts: the first line of each.
        lines: all lines that belong to a row, or are cut.
        cut: lines that are no row, and why.
        carry_from: where a row begins that goes on in the next block.
    """

    rows: list[list[str]] = dataclasses.field(default_factory=list)
    starts: list[int] = dataclasses.field(default_factory=list)
    lines: list[int] = dataclasses.field(default_factory=list)
    cut: list[tuple[int, str]] = dataclasses.field(default_factory=list)
    carry_from: int | None = None


@dataclasses.dataclass(frozen=True)
class CsvParser:
    """Cuts the lines of a file into columns.

    Lines without quotes, and those whose quotes all stand at the ends of cells, are parsed by Arrow: for it, too, such
    a line is one row. The others (quotes or line breaks within a cell, quotes that do not match) are parsed one by one.

    Args:
        source: the file.
        names: of its columns, in the order of the file.
        columns: those that are kept.
        delimiter: one character that stands between two cells.
    """

    source: str
    names: Sequence[str]
    columns: Sequence[str]
    delimiter: str = ","

    def cut_all(self, blocks: BlockReader) -> Iterator[RawBatch]:
        """The rows of all blocks; batches without a row or a reject are left out."""
        for block in blocks:
            batch, carried = self.cut(block)
            blocks.carry(carried)
            if len(batch.lines) or batch.rejects:
                yield batch

    def cut(self, block: Block) -> tuple[RawBatch, bytes]:
        """The rows of a block, and the bytes of a row at its end that goes on in the next block."""
        undecoded = _undecodable(block)
        rejects = [self._reject(block, i, INVALID_ENCODING, "should be UTF-8") for i in undecoded]
        use = np.diff(block.ends, prepend=0) > 1  # Not blank.
        use[undecoded] = False
        odd = self._parse_quoted(block, _irregular_quoting(block, self.delimiter) & use, undecoded)
        use[odd.lines] = False
        end = len(block.ends) if odd.carry_from is None else odd.carry_from
        use[end:] = False
        table, lines, cut = self._parse_plain(block, use)
        rejects += [self._reject(block, i, WRONG_COLUMN_COUNT, detail) for i, detail in [*odd.cut, *cut]]
        if odd.rows:
            lines = np.concatenate([lines, odd.starts])
            order = np.argsort(lines)
            table = pa.concat_tables([table, self._table(odd.rows)]).take(pa.array(order))
            lines = lines[order]
        rejects.sort(key=lambda reject: reject.line)
        return RawBatch(table, lines + block.first_line, self.source, tuple(rejects)), block.data[block.start(end) :]

    def _parse_plain(self, block: Block, use: np.ndarray) -> tuple[pa.Table, np.ndarray, list[tuple[int, str]]]:
        """The rows on the lines of the mask `use`: table, line indices, and the lines that are cut, with the detail."""
        cut: list[tuple[int, str]] = []

        def skip(row: pa.csv.InvalidRow) -> str:
            cut.append((int(kept[row.number - 1]), self._expected(row.actual_columns)))
            return "skip"

        kept = np.flatnonzero(use)
        if not len(kept):
            return self._table([]), kept, cut
        data = block.data
        if len(kept) < len(use):
            data = np.frombuffer(data, np.uint8)[np.repeat(use, np.diff(block.ends, prepend=0))].tobytes()
        table = pa.csv.read_csv(
            pa.BufferReader(data),
            pa.csv.ReadOptions(column_names=list(self.names), use_threads=False, block_size=len(data) + 1),
            pa.csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True, invalid_row_handler=skip),
            pa.csv.ConvertOptions(
                column_types={name: pa.string() for name in self.columns},
                include_columns=list(self.columns),
                strings_can_be_null=True,
                null_values=[""],
                check_utf8=False,  # It has been checked.
            ),
        )
        return table, np.setdiff1d(kept, [line for line, _ in cut], assume_unique=True), cut

    def _parse_quoted(self, block: Block, odd: np.ndarray, undecoded: np.ndarray) -> _QuotedRows:
        """The rows that begin on a line of the mask `odd`."""
        found = _QuotedRows()
        barriers = [*undecoded, len(odd)]
        free = 0
        for first in np.flatnonzero(odd).tolist():
            if first < free:
                continue
            end = min(first + MAX_ROW_LINES, barriers[int(np.searchsorted(barriers, first))])
            parser = csv.reader(map(block.line, range(first, end)), delimiter=self.delimiter, strict=True)
            try:
                cells = next(parser)
                detail = "" if len(cells) == len(self.names) else self._expected(len(cells))
            except csv.Error as error:
                if parser.line_num == len(odd) - first < MAX_ROW_LINES and not block.last:
                    found.carry_from = first
                    return found
                detail = f"should be a row of CSV. Received: {error}"
            free = first + (1 if detail else parser.line_num)
            found.lines += range(first, free)
            if detail:
                found.cut.append((first, detail))
            else:
                found.rows.append(cells)
                found.starts.append(first)
        return found

    def _table(self, rows: list[list[str]]) -> pa.Table:
        index = [list(self.names).index(name) for name in self.columns]
        cells = {name: [row[i] or None for row in rows] for name, i in zip(self.columns, index, strict=True)}
        return pa.table({name: pa.array(column, pa.string()) for name, column in cells.items()})

    def _expected(self, cells: int) -> str:
        return f"should have {len(self.names)} cells. Received: {cells}"

    def _reject(self, block: Block, i: int, reason: str, detail: str) -> Reject:
        return Reject(self.source, block.first_line + int(i), reason, detail, block.line(int(i)).removesuffix("\n"))


def _undecodable(block: Block) -> np.ndarray:
    """The indices of the lines that are not UTF-8, in order."""
    try:
        block.data.decode()
        return np.array([], np.int64)
    except UnicodeDecodeError:
        high = np.flatnonzero(np.frombuffer(block.data, np.uint8) > 127)
        lines = np.unique(np.searchsorted(block.ends, high, side="right"))
        return np.array([i for i in lines.tolist() if not _decodes(block.raw(i))], np.int64)


def _decodes(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _irregular_quoting(block: Block, delimiter: str) -> np.ndarray:
    """Which lines hold a quote that is not at the end of a cell, or do not close one; bool, shape `(lines,)`."""
    odd = np.zeros(len(block.ends), bool)
    if b'"' not in block.data:
        return odd
    text = np.frombuffer(b"\n" + block.data, np.uint8)  # One byte ahead, so that each quote has one before it.
    quotes = np.flatnonzero(text == QUOTE)
    line = np.searchsorted(block.ends, quotes - 1, side="right")
    count = np.bincount(line, minlength=len(odd))
    opening = (np.arange(len(quotes)) - (np.cumsum(count) - count)[line]) % 2 == 0
    beside = np.where(opening, text[quotes - 1], text[quotes + 1])
    odd[line[(beside != ord(delimiter)) & (beside != NEWLINE)]] = True
    return odd | (count % 2 == 1)
