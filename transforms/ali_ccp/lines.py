r"""Parser of the lines of the raw files, one block at a time.

A line consists of values that are separated by commas. The last two are the number of the line's features and the
features, which are separated by `\x01`. A feature is a field, `\x02`, an id, `\x03`, and a value.
"""

import dataclasses
import re
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.batches.raw_batch import RawBatch, Reject
from transforms.batches.reasons import INCOMPLETE_FEATURE, INVALID_ENCODING, WRONG_COLUMN_COUNT
from transforms.readers.line_blocks import NEWLINE, Block
from transforms.validation.rejections import RowRejections

_COMMA, _FEATURE_END, _FIELD_END, _ID_END = ord(","), 1, 2, 3
_FEATURE_SEPARATORS = np.array([_FIELD_END, _ID_END, _FEATURE_END], np.uint8)
"""Separators that follow field, id and value of a feature."""
_FEATURE = re.compile("[^\\0-\3,]+\2[^\\0-\3,]+\3[^\\0-\3,]+")
_MAX_DIGITS = 18


class Pieces:
    """Strings between the separators of lines: the columns, and the field, id and value of each feature.

    The pieces are one Arrow array without copies; since an array has no gaps, every second element is a separator.

    Args:
        data: Bytes of whole lines.
        columns: Number of columns before the number of features.

    Attributes:
        valid: Mask of the well-formed lines, bool, shape `(lines,)`.
        row: Index of each feature's line, int64, shape `(features,)`.
    """

    def __init__(self, data: bytes, columns: int):
        text = np.frombuffer(data, np.uint8)
        ends = np.flatnonzero((text <= _ID_END) | (text == NEWLINE) | (text == _COMMA))
        separators = text[ends]
        offsets = np.zeros(2 * len(ends) + 1, np.int32)
        offsets[1::2], offsets[2::2] = ends, ends + 1
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        self._array = pa.Array.from_buffers(pa.binary(), 2 * len(ends), buffers)
        self._columns = columns
        newlines = np.flatnonzero(separators == NEWLINE)
        self._first = np.append(0, newlines + 1)[:-1]
        count = newlines - self._first + 1
        # Index of each piece among the pieces of its line's features; negative for a column.
        index = np.arange(len(ends)) - np.repeat(self._first + columns + 1, count)
        size = offsets[1::2] - offsets[:-1:2]
        has_no_features = np.repeat((count == columns + 2) & (size[newlines] == 0), count)
        self._features = np.flatnonzero((index >= 0) & (index % 3 == 0) & ~has_no_features)
        self.row = np.repeat(np.arange(len(newlines)), count)[self._features]
        expected = np.where(index < 0, _COMMA, _FEATURE_SEPARATORS[index % 3])
        expected[newlines] = NEWLINE
        is_complete = (index[newlines] % 3 == 2) | has_no_features[newlines]
        is_valid_piece = (separators == expected) & ((index < 0) | (size > 0) | has_no_features)
        self.valid = self._find_valid(count, is_valid_piece) & is_complete & (count > columns + 1)

    def _find_valid(self, count: np.ndarray, is_valid_piece: np.ndarray) -> np.ndarray:
        """Returns the mask of the lines whose pieces are all valid and whose number of features is the declared one."""
        if not len(count):
            return np.zeros(0, bool)
        declared = parse_integers(self._take(self._first + np.minimum(self._columns, count - 1)))
        has_valid_pieces = np.logical_and.reduceat(is_valid_piece, self._first)
        valid: np.ndarray = has_valid_pieces & (declared == np.bincount(self.row, minlength=len(count)))
        return valid

    def column(self, i: int) -> pa.Array:
        """Returns the values of column `i`, counted from 0; binary, shape `(lines,)`."""
        return self._take(self._first + i)

    def fields(self) -> pa.Array:
        """Returns the field of each feature, binary, shape `(features,)`."""
        return self._take(self._features)

    def ids(self, features: np.ndarray) -> pa.Array:
        """Returns the ids of the features with given indices, binary."""
        return self._take(self._features[features] + 1)

    def values(self, features: np.ndarray) -> pa.Array:
        """Returns the values of the features with given indices, binary."""
        return self._take(self._features[features] + 2)

    def _take(self, pieces: np.ndarray) -> pa.Array:
        return self._array.take(pa.array(2 * pieces))


@dataclasses.dataclass(frozen=True)
class ParsedLines:
    """Well-formed lines of a block, and rejects of the others.

    Attributes:
        pieces: Pieces of the well-formed lines.
        index: Index of each well-formed line in the block, int64, shape `(lines,)`.
        block: Block of all lines.
        source: Path of the file.
        rejects: Rejects of the malformed lines.
    """

    pieces: Pieces
    index: np.ndarray
    block: Block
    source: str
    rejects: tuple[Reject, ...]

    def rejections(self, columns: Mapping[str, pa.Array]) -> RowRejections:
        """Returns the rejections of the well-formed lines, which are empty, with the rejects of the malformed lines.

        Args:
            columns: Columns of the well-formed lines by name, each binary of shape `(lines,)`.
        """
        batch = RawBatch(pa.table(dict(columns)), self.index + self.block.first_line, self.source, self.rejects)
        return RowRejections(batch, self._texts)

    def _texts(self, rows: np.ndarray) -> list[str]:
        return [self.block.line(line).removesuffix("\n") for line in self.index[rows].tolist()]


def parse_lines(block: Block, columns: int, source: str) -> ParsedLines:
    """Parses all lines of a block; blank lines are skipped.

    Lines that are not UTF-8 are rejected (`invalid_encoding`), and so are lines with a wrong number of values or of
    features (`wrong_column_count`) and lines with a feature that lacks its field, id or value (`incomplete_feature`).

    Args:
        block: Whole lines of the file.
        columns: Number of columns before the number of features.
        source: Path of the file.
    """
    pieces = Pieces(block.data, columns)
    valid = pieces.valid & _find_decodable(block)
    index = np.flatnonzero(valid)
    if len(index) == len(valid):
        return ParsedLines(pieces, index, block, source, ())
    invalid = [line for line in np.flatnonzero(~valid).tolist() if block.raw(line) != b"\n"]
    rejects = tuple(_reject(block, line, columns, source) for line in invalid)
    valid_data = b"".join(map(block.raw, index.tolist()))
    return ParsedLines(Pieces(valid_data, columns), index, block, source, rejects)


def parse_integers(column: pa.Array) -> np.ndarray:
    """Parses integers >= 0 of up to 18 digits.

    Args:
        column: Values, binary, shape `(rows,)`.

    Returns:
        The integers, int64, shape `(rows,)`; -1 for a value that is not one.
    """
    strings = column.view(pa.string())
    is_integer = pc.and_(pc.ascii_is_decimal(strings), pc.less_equal(pc.binary_length(strings), _MAX_DIGITS))
    numbers: np.ndarray = pc.if_else(is_integer, strings, "-1").cast(pa.int64()).to_numpy(zero_copy_only=False)
    return numbers


def _find_decodable(block: Block) -> np.ndarray:
    """Returns the mask of the lines that are UTF-8, bool, shape `(lines,)`."""
    decodable = np.ones(len(block.ends), bool)
    if not block.data.isascii():
        non_ascii = np.flatnonzero(np.frombuffer(block.data, np.uint8) > 127)
        for line in np.unique(np.searchsorted(block.ends, non_ascii, side="right")).tolist():
            try:
                block.raw(line).decode()
            except UnicodeDecodeError:
                decodable[line] = False
    return decodable


def _reject(block: Block, line: int, columns: int, source: str) -> Reject:
    """Returns the reject of a malformed line."""
    reason, detail = _find_mistake(block.raw(line), columns)
    return Reject(source, block.first_line + line, reason, detail, block.line(line).removesuffix("\n"))


def _find_mistake(raw: bytes, columns: int) -> tuple[str, str]:
    """Returns reason and detail of the reject of a malformed line."""
    try:
        values = raw.decode().removesuffix("\n").split(",")
    except UnicodeDecodeError:
        return INVALID_ENCODING, "should be UTF-8"
    if len(values) != columns + 2:
        return WRONG_COLUMN_COUNT, f"should have {columns + 2} values. Received: {len(values)}"
    features = values[-1].split("\1") if values[-1] else []
    if str(len(features)) != values[-2]:
        detail = f"should have the declared number of features, {values[-2]!r}. Received: {len(features)}"
        return WRONG_COLUMN_COUNT, detail
    malformed = next((feature for feature in features if not _FEATURE.fullmatch(feature)), "")
    return INCOMPLETE_FEATURE, f"should be a field, an id and a value. Received: {malformed!r}"
