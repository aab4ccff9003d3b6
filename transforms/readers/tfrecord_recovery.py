"""The records of a TFRecord file, and what is left of them where the file is damaged.

A record is its length (8 bytes, little-endian), the length's checksum, its bytes, and their checksum. A checksum is a
masked CRC-32C (https://www.tensorflow.org/tutorials/load_data/tfrecord, "TFRecords format details").
"""

import contextlib
import dataclasses
import struct
import zlib
from collections.abc import Iterator
from typing import Any, Protocol

import google_crc32c
import numpy as np

from transforms.batches.raw_batch import Reject
from transforms.batches.reasons import CORRUPT_RECORD, TRUNCATED_RECORD

BLOCK_BYTES = 8 << 20
_HEADER, _CHECKSUM = struct.Struct("<QI"), struct.Struct("<I")
_LENGTH_BYTES = 8
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP = 16 + zlib.MAX_WBITS
_SHOWN_BYTES = 200


class Stream(Protocol):
    """What bytes are read from."""

    def read(self, nbytes: int, /) -> bytes:
        """At most so many bytes, none at the end."""


@dataclasses.dataclass(frozen=True)
class Records:
    """Records of a block of the file.

    Attributes:
        data: their bytes.
        numbers: 1-based, of each in the file.
        rejects: the records of the block that are cut or corrupt; a stretch without any record counts as one.
    """

    data: list[bytes]
    numbers: list[int]
    rejects: list[Reject]


def read_records(stream: Stream, source: str, block_bytes: int = BLOCK_BYTES) -> Iterator[Records]:
    """Reads the records of a TFRecord file, plain or compressed by gzip, whatever it is called.

    A record whose bytes do not have their checksum is rejected alone (`corrupt_record`). Where a length is damaged,
    nothing says where its record ends: all bytes up to the next record that has its checksums are rejected as one. A
    file that ends within a record, or within its gzip stream, has that rejected too (`truncated_record`); of a gzip stream
    all is read that comes before the damage.

    Args:
        stream: of the file's bytes as they are stored.
        source: the file.
        block_bytes: how much is read at a time.

    Raises:
        ValueError: if nothing in it is the beginning of a record, as in a file of another kind or compression.
    """
    reader = _RecordReader(source)
    blocks = _Blocks(stream, block_bytes)
    for block in blocks:
        yield reader.read(block)
    yield reader.finish(blocks.damage)


def masked_crc(data: bytes) -> int:
    """The checksum of TFRecord files."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


class _Blocks:
    """The bytes of a stream, decompressed where they are a gzip's; `damage` says what is wrong with it."""

    def __init__(self, stream: Stream, block_bytes: int):
        self._stream = stream
        self._block_bytes = block_bytes
        self.damage = ""

    def __iter__(self) -> Iterator[bytes]:
        first = b""
        while len(first) < _HEADER.size and (more := self._stream.read(self._block_bytes)):
            first += more
        zipped = first.startswith(_GZIP_MAGIC) and not _is_header(first, 0)
        yield from self._unzip(first) if zipped else self._plain(first)

    def _plain(self, block: bytes) -> Iterator[bytes]:
        while block:
            yield block
            block = self._stream.read(self._block_bytes)

    def _unzip(self, block: bytes) -> Iterator[bytes]:
        member = None
        while block or (block := self._stream.read(self._block_bytes)):
            member = member or zlib.decompressobj(_GZIP)
            before = member.copy()
            try:
                yield member.decompress(block)
            except zlib.error as error:
                self.damage = f"gzip: {error}"
                yield _good_bytes(before, block)
                return
            block = b""
            if member.eof:  # Another member may follow.
                block, member = member.unused_data, None
        if member is not None:
            self.damage = "gzip: the stream is not whole"


def _good_bytes(member: Any, block: bytes) -> bytes:
    """What comes out before the byte of the block at which decompression fails."""
    data = []
    with contextlib.suppress(zlib.error):
        for place in range(len(block)):
            data.append(member.decompress(block[place : place + 1]))
    return b"".join(data)


class _RecordReader:
    """Cuts blocks into records; what a block begins and does not end is kept for the next one."""

    def __init__(self, source: str):
        self._source = source
        self._data = b""
        self._start = 0  # Of the data, in the file.
        self._number = 1
        self._lost = b""  # The first bytes since the last record that belong to none,
        self._lost_bytes = 0  # and how many there are.
        self._any_header = False

    def read(self, block: bytes, last: bool = False) -> Records:
        """The records that are whole with this block."""
        self._data += block
        records = Records([], [], [])
        place = 0
        while len(self._data) - place >= _HEADER.size:
            if not _is_header(self._data, place):
                place = self._lose(place)
                continue
            self._any_header = True
            begin = place + _HEADER.size
            end = begin + _HEADER.unpack_from(self._data, place)[0]
            after = end + _CHECKSUM.size
            if after > len(self._data):
                break
            data = self._data[begin:end]
            if masked_crc(data) == _CHECKSUM.unpack_from(self._data, end)[0]:
                self._end_of_lost(records, place)
                records.data.append(data)
                records.numbers.append(self._number)
                self._number += 1
            elif after + _HEADER.size > len(self._data) and not last:
                break
            elif after == len(self._data) or _is_header(self._data, after):
                self._end_of_lost(records, place)
                self._reject(records, CORRUPT_RECORD, "bytes that have their checksum", f"{len(data)} others", data)
            else:  # Bytes are missing, or too many: the next record does not begin where this one seems to end.
                place = self._lose(place)
                continue
            place = after
        self._data = self._data[place:]
        self._start += place
        return records

    def finish(self, damage: str) -> Records:
        """What is left at the end of the file, of which `damage` says what else is wrong.

        Raises:
            ValueError: if nothing in the file is the beginning of a record: it is one of another kind.
        """
        records = self.read(b"", last=True)
        size = self._start + len(self._data)
        if size >= _HEADER.size and not self._any_header:
            expected = "should be a TFRecord file, plain or compressed by gzip"
            raise ValueError(f"{self._source}: {expected}. Received: {size:,} bytes without a record")
        rest, note = self._data, f" ({damage})" if damage else ""
        if self._lost_bytes and not (len(rest) >= _HEADER.size and _is_header(rest, 0)):
            self._lost_bytes += len(rest)
            self._end_of_lost(records, len(rest), note)
        elif rest or damage:
            self._end_of_lost(records, 0)
            self._reject(
                records, TRUNCATED_RECORD, "a whole record", f"{len(rest)} bytes and the file's end{note}", rest
            )
        return records

    def _lose(self, place: int) -> int:
        """Gives up the bytes from `place` to what may be the next record. Returns where that is."""
        found = _next_header(self._data, place + 1)
        self._lost = self._lost or self._data[place:found][:_SHOWN_BYTES]
        self._lost_bytes += found - place
        return found

    def _end_of_lost(self, records: Records, place: int, note: str = "") -> None:
        if self._lost_bytes:
            begin = self._start + place - self._lost_bytes
            received = f"{self._lost_bytes} bytes from byte {begin} on without one{note}"
            self._reject(records, CORRUPT_RECORD, "a record with its checksums", received, self._lost)
            self._lost, self._lost_bytes = b"", 0

    def _reject(self, records: Records, reason: str, expected: str, received: str, data: bytes) -> None:
        text = data[:_SHOWN_BYTES].decode("utf-8", "backslashreplace")
        detail = f"should be {expected}. Received: {received}"
        records.rejects.append(Reject(self._source, self._number, reason, detail, text))
        self._number += 1


def _is_header(data: bytes, place: int) -> bool:
    length = data[place : place + _LENGTH_BYTES]
    return len(data) - place >= _HEADER.size and masked_crc(length) == _HEADER.unpack_from(data, place)[1]


def _next_header(data: bytes, place: int) -> int:
    """Where the next record may begin: at a length with its checksum, or where there are too few bytes to know."""
    end = len(data) - _HEADER.size + 1
    if place >= end:
        return min(place, len(data))
    text = np.frombuffer(data, np.uint8).astype(np.uint32)
    words = text[:-3] | text[1:-2] << 8 | text[2:-1] << 16 | text[3:] << 24
    starts = place + np.flatnonzero(words[place + 4 : end + 4] == 0)  # No record is longer than 4 GB.
    lengths, which = np.unique(words[starts], return_inverse=True)
    checksums = np.array([masked_crc(struct.pack("<Q", length)) for length in lengths.tolist()], np.uint32)
    found = starts[checksums[which] == words[starts + _LENGTH_BYTES]]
    return int(found[0]) if len(found) else end
