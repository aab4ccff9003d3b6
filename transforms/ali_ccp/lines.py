r"""Lines of the raw files, cut into cells and features, a block of them at a time.

A line is cells joined by commas; the last two are the number of its features, and the features, joined by `\x01`. Each
of these is a field, `\x02`, an id, `\x03`, and a value.
"""

import dataclasses
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.batches.raw_batch import Reject
from transforms.batches.reasons import INCOMPLETE_FEATURE, INVALID_ENCODING, WRONG_COLUMN_COUNT
from transforms.readers.line_blocks import NEWLINE, Block

_COMMA, _NEXT, _ID, _VALUE = ord(","), 1, 2, 3
_CYCLE = np.array([_ID, _VALUE, _NEXT], np.uint8)
"""What stands after field, id and value."""
_FEATURE = re.compile("[^\\0-\3,]+\2[^\\0-\3,]+\3[^\\0-\3,]+")
_DIGITS = 18


class Pieces:
    """What stands between the separators of some lines.

    Arrow's arrays cannot have gaps: in the one that holds the pieces, each second element is a separator.

    Args:
        data: whole lines.
        columns: how many cells there are before the number of features.

    Attributes:
        whole: which lines are as they should be, bool `(lines,)`.
        row: of each feature, the index of its line; int64 `(features,)`.
    """

    def __init__(self, data: bytes, columns: int):
        text = np.frombuffer(data, np.uint8)
        ends = np.flatnonzero((text <= _VALUE) | (text == NEWLINE) | (text == _COMMA))
        kinds = text[ends]
        offsets = np.zeros(2 * len(ends) + 1, np.int32)
        offsets[1::2], offsets[2::2] = ends, ends + 1
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        self._array = pa.Array.from_buffers(pa.binary(), 2 * len(ends), buffers)
        self._columns = columns
        newlines = np.flatnonzero(kinds == NEWLINE)
        self._first = np.append(0, newlines + 1)[:-1]
        count = newlines - self._first + 1
        # The place of each piece among those of the features; below 0 for a cell.
        place = np.arange(len(ends)) - np.repeat(self._first + columns + 1, count)
        size = offsets[1::2] - offsets[:-1:2]
        empty = np.repeat((count == columns + 2) & (size[newlines] == 0), count)  # The line has no features.
        self._features = np.flatnonzero((place >= 0) & (place % 3 == 0) & ~empty)
        self.row = np.repeat(np.arange(len(newlines)), count)[self._features]
        expected = np.where(place < 0, _COMMA, _CYCLE[place % 3])
        expected[newlines] = NEWLINE
        ends_well = (place[newlines] % 3 == 2) | empty[newlines]
        fits = (kinds == expected) & ((place < 0) | (size > 0) | empty)
        self.whole = self._said(count, fits) & ends_well & (count > columns + 1)

    def _said(self, count: np.ndarray, fits: np.ndarray) -> np.ndarray:
        """The lines of which all pieces fit, and which have as many features as they say."""
        if not len(count):
            return np.zeros(0, bool)
        said = whole_numbers(self._take(self._first + np.minimum(self._columns, count - 1)))
        return np.logical_and.reduceat(fits, self._first) & (said == np.bincount(self.row, minlength=len(count)))

    def cell(self, i: int) -> pa.Array:
        """Cells of column `i`, binary `(lines,)`."""
        return self._take(self._first + i)

    def field(self) -> pa.Array:
        """Of each feature, binary `(features,)`."""
        return self._take(self._features)

    def ids(self, features: np.ndarray) -> pa.Array:
        """The ids of the features of these numbers, binary."""
        return self._take(self._features[features] + 1)

    def values(self, features: np.ndarray) -> pa.Array:
        """The values of the features of these numbers, binary."""
        return self._take(self._features[features] + 2)

    def _take(self, which: np.ndarray) -> pa.Array:
        return self._array.take(pa.array(2 * which))


@dataclasses.dataclass(frozen=True)
class Lines:
    """The lines of a block that are as they should be, and rejects for the others.

    Attributes:
        pieces: of the former.
        place: of each of them in the block, int64 `(lines,)`.
        block: all lines.
        source: the file.
        rejects: for the latter.
    """

    pieces: Pieces
    place: np.ndarray
    block: Block
    source: str
    rejects: tuple[Reject, ...]

    @property
    def numbers(self) -> np.ndarray:
        """Line numbers in the file, from 1 on."""
        return self.place + self.block.first_line

    def reject(self, row: int, reason: str, detail: str) -> Reject:
        """A reject for one of the lines."""
        place = int(self.place[row])
        text = self.block.line(place).removesuffix("\n")
        return Reject(self.source, self.block.first_line + place, reason, detail, text)


def cut_lines(block: Block, columns: int, source: str) -> Lines:
    """Cuts all lines of a block; blank ones are no rows.

    Rejected are lines that are not UTF-8 (`invalid_encoding`), those that have not as many cells, or features, as they
    should (`wrong_column_count`), and those with a feature that lacks its field, id or value (`incomplete_feature`).

    Args:
        block: whole lines.
        columns: how many cells there are before the number of features.
        source: the file.
    """
    pieces = Pieces(block.data, columns)
    good = pieces.whole & _decodes(block)
    place = np.flatnonzero(good)
    if len(place) == len(good):
        return Lines(pieces, place, block, source, ())
    bad = [i for i in np.flatnonzero(~good).tolist() if block.raw(i) != b"\n"]
    kept = b"".join(map(block.raw, place.tolist()))
    return Lines(Pieces(kept, columns), place, block, source, tuple(_reject(block, i, columns, source) for i in bad))


def whole_numbers(cells: pa.Array) -> np.ndarray:
    """Numbers of up to 18 digits, int64; -1 for a cell that is none."""
    text = cells.view(pa.string())
    written = pc.and_(pc.ascii_is_decimal(text), pc.less_equal(pc.binary_length(text), _DIGITS))
    numbers = pc.if_else(written, text, "-1").cast(pa.int64())
    return numbers.to_numpy(zero_copy_only=False)


def _decodes(block: Block) -> np.ndarray:
    """Which lines are UTF-8."""
    good = np.ones(len(block.ends), bool)
    if not block.data.isascii():
        high = np.flatnonzero(np.frombuffer(block.data, np.uint8) > 127)
        for i in np.unique(np.searchsorted(block.ends, high, side="right")).tolist():
            try:
                block.raw(i).decode()
            except UnicodeDecodeError:
                good[i] = False
    return good


def _reject(block: Block, i: int, columns: int, source: str) -> Reject:
    """Of a line that is not as it should be."""
    text = block.line(i).removesuffix("\n")
    reason, detail = _why(block.raw(i), columns)
    return Reject(source, block.first_line + i, reason, detail, text)


def _why(raw: bytes, columns: int) -> tuple[str, str]:
    try:
        cells = raw.decode().removesuffix("\n").split(",")
    except UnicodeDecodeError:
        return INVALID_ENCODING, "should be UTF-8"
    if len(cells) != columns + 2:
        return WRONG_COLUMN_COUNT, f"should have {columns + 2} cells. Received: {len(cells)}"
    features = cells[-1].split("\1") if cells[-1] else []
    if str(len(features)) != cells[-2]:
        return WRONG_COLUMN_COUNT, f"should have as many features as it says, {cells[-2]!r}. Received: {len(features)}"
    odd = next((feature for feature in features if not _FEATURE.fullmatch(feature)), "")
    return INCOMPLETE_FEATURE, f"should be a field, an id and a value. Received: {odd!r}"
