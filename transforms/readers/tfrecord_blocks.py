"""Blocks of bytes of a TFRecord file, decompressed if the file is compressed by gzip."""

import contextlib
import zlib
from collections.abc import Iterator
from typing import Any, Protocol

from transforms.readers.tfrecord_framing import HEADER, is_header

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP = 16 + zlib.MAX_WBITS


class Stream(Protocol):
    """Source of bytes."""

    def read(self, nbytes: int, /) -> bytes:
        """Reads at most `nbytes` bytes; none at the end."""


class Blocks:
    """Iterates over the bytes of a stream, decompressed if they are a gzip stream.

    Args:
        stream: Stream of the file's bytes.
        block_bytes: Number of bytes that are read at a time.

    Attributes:
        damage: Description of the damage of the gzip stream; empty if there is none.
    """

    def __init__(self, stream: Stream, block_bytes: int):
        self._stream = stream
        self._block_bytes = block_bytes
        self.damage = ""

    def __iter__(self) -> Iterator[bytes]:
        first = b""
        while len(first) < HEADER.size and (following := self._stream.read(self._block_bytes)):
            first += following
        is_gzip = first.startswith(_GZIP_MAGIC) and not is_header(first, 0)
        yield from self._decompressed(first) if is_gzip else self._plain(first)

    def _plain(self, block: bytes) -> Iterator[bytes]:
        while block:
            yield block
            block = self._stream.read(self._block_bytes)

    def _decompressed(self, block: bytes) -> Iterator[bytes]:
        member = None
        while block or (block := self._stream.read(self._block_bytes)):
            member = member or zlib.decompressobj(_GZIP)
            before = member.copy()
            try:
                yield member.decompress(block)
            except zlib.error as error:
                self.damage = f"gzip: {error}"
                yield _decompress_until_damage(before, block)
                return
            block = b""
            if member.eof:  # Another member of the gzip stream may follow.
                block, member = member.unused_data, None
        if member is not None:
            self.damage = "gzip: the stream is incomplete"


def _decompress_until_damage(member: Any, block: bytes) -> bytes:
    """Decompresses the bytes of a block that precede the one at which decompression fails."""
    data = []
    with contextlib.suppress(zlib.error):
        for position in range(len(block)):
            data.append(member.decompress(block[position : position + 1]))
    return b"".join(data)
