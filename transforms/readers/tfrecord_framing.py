"""Framing of the records of a TFRecord file: lengths, checksums, and the search for the next record.

A record is its length (8 bytes, little-endian), the length's checksum, its bytes, and their checksum. A checksum is a
masked CRC-32C.

References:
    https://www.tensorflow.org/tutorials/load_data/tfrecord, "TFRecords format details".
"""

import struct

import google_crc32c
import numpy as np

HEADER, CHECKSUM = struct.Struct("<QI"), struct.Struct("<I")
"""Length of a record with its checksum, and the checksum of its bytes."""
LENGTH_BYTES = 8


def masked_crc(data: bytes) -> int:
    """Computes the checksum of TFRecord files, a masked CRC-32C.

    Args:
        data: Bytes of a record or of a length.
    """
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def is_header(data: bytes, position: int) -> bool:
    """Returns whether a length with its checksum stands at a position.

    Args:
        data: Bytes of a file.
        position: Position in the bytes.
    """
    length = data[position : position + LENGTH_BYTES]
    is_complete = len(data) - position >= HEADER.size
    return is_complete and masked_crc(length) == HEADER.unpack_from(data, position)[1]


def find_header(data: bytes, position: int) -> int:
    """Returns the first position at which a length with its checksum stands, or too few bytes to decide.

    Args:
        data: Bytes of a file.
        position: First position to search.
    """
    end = len(data) - HEADER.size + 1
    if position >= end:
        return min(position, len(data))
    octets = np.frombuffer(data, np.uint8).astype(np.uint32)
    words = octets[:-3] | octets[1:-2] << 8 | octets[2:-1] << 16 | octets[3:] << 24
    starts = position + np.flatnonzero(words[position + 4 : end + 4] == 0)  # No record is longer than 4 GB.
    lengths, length_index = np.unique(words[starts], return_inverse=True)
    checksums = np.array([masked_crc(struct.pack("<Q", length)) for length in lengths.tolist()], np.uint32)
    found = starts[checksums[length_index] == words[starts + LENGTH_BYTES]]
    return int(found[0]) if len(found) else end
