"""Blocks of whole lines of a text file, with line numbers."""

import codecs
import dataclasses
import functools
from collections.abc import Iterator
from typing import Protocol

import numpy as np

BLOCK_BYTES = 8 << 20
"""Number of bytes that are read at a time by default."""
NEWLINE = ord("\n")
_BYTE_ORDER_MARK = codecs.BOM_UTF8


class Input(Protocol):
    """Stream of bytes that can be read."""

    def read(self, size: int, /) -> bytes:
        """Returns the next bytes, at most `size`; none at the end."""


@dataclasses.dataclass(frozen=True)
class Block:
    r"""Whole lines of a file.

    Every line ends in `\n`, also where it ends in `\r\n`, in `\r` or with the file.

    Attributes:
        data: Bytes of the lines.
        first_line: 1-based number of the first line.
        last: Whether no lines follow.
    """

    data: bytes
    first_line: int
    last: bool

    @functools.cached_property
    def ends(self) -> np.ndarray:
        """Position after the line break of each line, int64, shape `(lines,)`."""
        return np.flatnonzero(np.frombuffer(self.data, np.uint8) == NEWLINE) + 1

    def start(self, i: int) -> int:
        """Returns the position at which line `i`, counted from 0, begins."""
        return int(self.ends[i - 1]) if i else 0

    def raw(self, i: int) -> bytes:
        """Returns the bytes of line `i`, counted from 0, with its line break."""
        return self.data[self.start(i) : int(self.ends[i])]

    def line(self, i: int) -> str:
        """Returns line `i`, counted from 0, with its line break; bytes that are not UTF-8 are escaped."""
        return self.raw(i).decode("utf-8", "backslashreplace")


class BlockReader:
    """Reads a stream in blocks of whole lines.

    Lines at the end of a block that a caller cannot process yet are returned with `carry` and begin the next block.

    Args:
        stream: Stream of bytes.
        block_bytes: Number of bytes that are read at a time.
        first_line: 1-based number of the stream's first line.
    """

    def __init__(self, stream: Input, block_bytes: int = BLOCK_BYTES, first_line: int = 1):
        self._stream = stream
        self._block_bytes = block_bytes
        self._remainder = b""
        self._line = first_line
        self._at_end = False

    @property
    def next_line(self) -> int:
        """1-based number of the first line that has not been read."""
        return self._line

    def peek_line(self) -> str:
        """Returns the first line that has not been read, without byte order mark and line break.

        Raises:
            ValueError: If the stream is empty or the line is not UTF-8.
        """
        while b"\n" not in self._remainder and not self._at_end:
            self._remainder += self._read_piece()
        if not self._remainder:
            raise ValueError("should be the names of the columns. Received: an empty file")
        line = self._remainder.partition(b"\n")[0]
        try:
            return line.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"should be UTF-8. Received: {line[:80]!r}") from error

    def skip_line(self) -> None:
        """Skips the line that `peek_line` returned."""
        self._remainder = self._remainder.partition(b"\n")[2]
        self._line += 1

    def __iter__(self) -> Iterator[Block]:
        while self._remainder or not self._at_end:
            pieces = [self._remainder]
            while not self._at_end:
                pieces.append(self._read_piece())
                if b"\n" in pieces[-1]:
                    break
            data = b"".join(pieces)
            if self._at_end and data and not data.endswith(b"\n"):
                data += b"\n"
            end = data.rfind(b"\n") + 1
            block = Block(_without_byte_order_marks(data[:end]), self._line, self._at_end)
            self._remainder = data[end:]
            self._line += block.data.count(b"\n")
            if block.data:
                yield block

    def carry(self, data: bytes) -> None:
        """Returns the last lines of the block that was just read, so that they begin the next one.

        Args:
            data: Bytes of the lines.
        """
        self._remainder = data + self._remainder
        self._line -= data.count(b"\n")

    def _read_piece(self) -> bytes:
        r"""Reads the next bytes and converts their line breaks to `\n`."""
        piece = _read_piece(self._stream, self._block_bytes)
        self._at_end = not piece
        return piece


def count_lines(stream: Input, block_bytes: int = BLOCK_BYTES) -> int:
    r"""Counts the line breaks of a stream: `\n`, `\r\n` and `\r`.

    Args:
        stream: Stream of bytes.
        block_bytes: Number of bytes that are read at a time.
    """
    lines = 0
    while piece := _read_piece(stream, block_bytes):
        lines += int(np.count_nonzero(np.frombuffer(piece, np.uint8) == NEWLINE))
    return lines


def _read_piece(stream: Input, block_bytes: int) -> bytes:
    r"""Reads the next bytes and converts their line breaks to `\n`."""
    piece = stream.read(block_bytes)
    while piece.endswith(b"\r"):  # Its \n may be the next byte.
        following = stream.read(1)
        piece += following
        if not following:
            break
    return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in piece else piece


def _without_byte_order_marks(lines: bytes) -> bytes:
    """Removes the byte order marks with which lines begin where files were joined."""
    if _BYTE_ORDER_MARK not in lines:
        return lines
    return lines.removeprefix(_BYTE_ORDER_MARK).replace(b"\n" + _BYTE_ORDER_MARK, b"\n")
