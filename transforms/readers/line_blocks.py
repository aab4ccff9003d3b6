"""Text files as blocks of whole lines, and the numbers of their lines."""

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

BLOCK_BYTES = 8 << 20
NEWLINE, QUOTE = ord("\n"), ord('"')


@dataclasses.dataclass(frozen=True)
class Block:
    r"""Whole lines of a file. Every line ends in `\n`, whatever it ended in there (`\r\n`, `\r`, the end of the file).

    Attributes:
        data: the bytes.
        first_line: 1-based number of the first line.
        last: nothing follows.
    """

    data: bytes
    first_line: int
    last: bool

    @functools.cached_property
    def ends(self) -> np.ndarray:
        """Where each line ends: the positions after its newline, int64, shape `(lines,)`."""
        return np.flatnonzero(np.frombuffer(self.data, np.uint8) == NEWLINE) + 1

    def start(self, i: int) -> int:
        """Where line `i`, counted from 0, begins."""
        return int(self.ends[i - 1]) if i else 0

    def raw(self, i: int) -> bytes:
        """The bytes of line `i`, newline included."""
        return self.data[self.start(i) : int(self.ends[i])]

    def line(self, i: int) -> str:
        """The text of line `i`, newline included; bytes that are not UTF-8 are written as escapes."""
        return self.raw(i).decode("utf-8", "backslashreplace")


class BlockReader:
    """Reads a stream in blocks of whole lines; what a caller could not finish is handed back with `carry`.

    Args:
        stream: of bytes.
        block_bytes: how many bytes are read at a time.
    """

    def __init__(self, stream: pa.NativeFile, block_bytes: int = BLOCK_BYTES):
        self._stream = stream
        self._block_bytes = block_bytes
        self._rest = b""
        self._line = 1
        self._last = False

    @property
    def next_line(self) -> int:
        """1-based number of the first line that is in no block yet."""
        return self._line

    def header(self) -> str:
        """The first line, without byte order mark and newline. Raises `ValueError` if it is not UTF-8 or not there."""
        while b"\n" not in self._rest and not self._last:
            self._rest += self._piece()
        if not self._rest:
            raise ValueError("should be the names of the columns. Received: an empty file")
        line, _, self._rest = self._rest.partition(b"\n")
        self._line += 1
        try:
            return line.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"should be UTF-8. Received: {line[:80]!r}") from error

    def __iter__(self) -> Iterator[Block]:
        while self._rest or not self._last:
            pieces = [self._rest]
            while not self._last:
                pieces.append(self._piece())
                if b"\n" in pieces[-1]:
                    break
            data = b"".join(pieces)
            if self._last and data and not data.endswith(b"\n"):
                data += b"\n"
            end = data.rfind(b"\n") + 1
            block = Block(data[:end], self._line, self._last)
            self._rest = data[end:]
            self._line += block.data.count(b"\n")
            if block.data:
                yield block

    def carry(self, data: bytes) -> None:
        """Puts the last lines of the block that was just read before the next one."""
        self._rest = data + self._rest
        self._line -= data.count(b"\n")

    def _piece(self) -> bytes:
        """The next bytes, their newlines made one kind."""
        piece = self._stream.read(self._block_bytes)
        while piece.endswith(b"\r"):  # Its \n may be next.
            more = self._stream.read(1)
            piece += more
            if not more:
                break
        self._last = not piece
        return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in piece else piece
