"""Records of TFRecord files, and recovery of the intact records of damaged files."""

import bz2
import gzip
import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf

from transforms.readers.tfrecord_framing import masked_crc
from transforms.readers.tfrecord_recovery import read_records

RECORDS = [b"first", b"", b"x" * 300, bytes(range(256)), b"last one"]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Bytes of a file that TensorFlow wrote."""
    path = tmp_path_factory.mktemp("records") / "log.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in RECORDS:
            writer.write(record)
    return path.read_bytes()


def begin(number):
    """Returns the position at which a record begins in the file; its bytes begin 12 bytes later."""
    return sum(16 + len(record) for record in RECORDS[:number])


def read(data, block_bytes=1 << 20):
    """Returns the records by number, and number and reason of each reject."""
    data_by_number, rejects = {}, []
    for records in read_records(io.BytesIO(data), "log", block_bytes):
        data_by_number |= dict(zip(records.numbers, records.data, strict=True))
        rejects += [(reject.line, reject.reason) for reject in records.rejects]
    return data_by_number, rejects


def flip(data, position):
    """Inverts one byte."""
    return data[:position] + bytes([data[position] ^ 255]) + data[position + 1 :]


def records_without(*numbers):
    """Returns the records by number, except those of some numbers."""
    return {number: record for number, record in enumerate(RECORDS, 1) if number not in numbers}


@pytest.mark.parametrize("block_bytes", [1, 7, 100, 1 << 20])
@pytest.mark.parametrize("members", [0, 1, 3])
def test_reads_undamaged_files(written, block_bytes, members):
    """Files are plain, or compressed as one or several consecutive gzip members."""
    data = written
    if members:
        size = -(-len(written) // members)
        data = b"".join(gzip.compress(written[start : start + size]) for start in range(0, len(written), size))
    assert read(data, block_bytes) == (records_without(), [])


@pytest.mark.parametrize("block_bytes", [100, 3000, 1 << 20])
@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_equals_tensorflows_reader(tmp_path, compression, block_bytes):
    rng = np.random.default_rng(0)
    path = str(tmp_path / "log.tfrecord")
    with tf.io.TFRecordWriter(path, compression) as writer:
        for length in rng.integers(0, 400, 300).tolist():
            writer.write(rng.bytes(length))
    expected = list(tf.data.TFRecordDataset(path, compression).as_numpy_iterator())
    with open(path, "rb") as file:
        assert read(file.read(), block_bytes) == (dict(enumerate(expected, 1)), [])


@pytest.mark.parametrize("block_bytes", [50, 1 << 20])
def test_records_after_damage_keep_their_numbers(written, block_bytes):
    """Damage at the same record of each copy of the file; records between are intact."""
    found, rejects = read(flip(written, begin(1)) * 20, block_bytes)
    count = len(RECORDS)
    assert rejects == [(count * copy + 2, "corrupt_record") for copy in range(20)]
    assert found == {count * copy + n: data for copy in range(20) for n, data in records_without(2).items()}


def test_file_without_records():
    assert read(b"") == ({}, [])
    assert read(gzip.compress(b"")) == ({}, [])


@pytest.mark.parametrize("block_bytes", [5, 1 << 20])
@pytest.mark.parametrize("number", [1, 3, 4, 5])
def test_rejects_a_record_that_does_not_match_its_checksum(written, number, block_bytes):
    data = flip(written, begin(number - 1) + 12)
    assert read(data, block_bytes) == (records_without(number), [(number, "corrupt_record")])
    assert read(gzip.compress(data), block_bytes) == (records_without(number), [(number, "corrupt_record")])


@pytest.mark.parametrize("block_bytes", [5, 1 << 20])
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("offset", [0, 7, 8, 11])
def test_finds_the_record_after_a_damaged_length(written, number, offset, block_bytes):
    data = flip(written, begin(number - 1) + offset)
    assert read(data, block_bytes) == (records_without(number), [(number, "corrupt_record")])


@pytest.mark.parametrize("block_bytes", [5, 1 << 20])
def test_finds_the_record_after_missing_or_inserted_bytes(written, block_bytes):
    position = begin(2) + 50
    before = written[:position]
    for data in (before + written[position + 1 :], before + b"?" + written[position:]):
        assert read(data, block_bytes) == (records_without(3), [(3, "corrupt_record")])


def test_several_damaged_records(written):
    data = flip(flip(written, begin(1)), begin(3) + 20)
    assert read(data) == (records_without(2, 4), [(2, "corrupt_record"), (4, "corrupt_record")])


def test_a_stretch_without_records_is_one_reject(written):
    data = flip(flip(written, begin(1)), begin(2))
    found, rejects = read(data)
    assert rejects == [(2, "corrupt_record")]
    assert list(found.values()) == [RECORDS[0], *RECORDS[3:]]


@pytest.mark.parametrize("block_bytes", [5, 1 << 20])
@pytest.mark.parametrize("remaining", [1, 8, 12, 15, 16 + 7])
def test_file_that_ends_within_a_record(written, remaining, block_bytes):
    assert read(written[: begin(4) + remaining], block_bytes) == (records_without(5), [(5, "truncated_record")])


def test_file_that_ends_after_a_damaged_length(written):
    data = flip(written, begin(4))[:-3]
    assert read(data) == (records_without(5), [(5, "corrupt_record")])


@pytest.mark.parametrize("block_bytes", [5, 1 << 20])
def test_truncated_or_damaged_gzip_stream(written, block_bytes):
    """Reads the records before the damage; compression level 0 makes their positions known."""
    data = gzip.compress(written, 0)
    truncated = data[: 15 + begin(3) + 40]
    assert read(truncated, block_bytes) == (records_without(4, 5), [(4, "truncated_record")])
    without_trailer = data[:-8]
    assert read(without_trailer, block_bytes) == (records_without(), [(6, "truncated_record")])
    wrong_checksum = flip(data, len(data) - 8)
    assert read(wrong_checksum, block_bytes) == (records_without(), [(6, "truncated_record")])


@pytest.mark.parametrize("other", [zlib.compress, bz2.compress, lambda _: b"user,item,click\n1,2,0\n"])
@pytest.mark.parametrize("block_bytes", [5, 1 << 20])
def test_file_of_another_format_is_an_error(written, other, block_bytes):
    data = other(written)
    with pytest.raises(
        ValueError, match=r"log: should be a TFRecord file, plain or compressed by gzip. Received: \d+ bytes"
    ):
        list(read_records(io.BytesIO(data), "log", block_bytes))


def test_details_of_rejects(written):
    data = flip(flip(written, begin(0) + 12), begin(2))[:-1]
    (first, second, third) = [r for records in read_records(io.BytesIO(data), "log") for r in records.rejects]
    assert first.detail == "should be bytes that match their checksum. Received: 5 others"
    assert first.text == "\\x99irst"
    assert (
        second.detail
        == f"should be a record with matching checksums. Received: 316 bytes from byte {begin(2)} on without one"
    )
    assert third.detail == "should be a complete record. Received: 23 bytes and the end of the file"


def test_skips_a_long_stretch_of_zeros(written):
    """A full disk may leave such a stretch, in which every position could be the length of a record."""
    found, rejects = read(written + bytes(3_000_000) + written)
    assert len(found) == 2 * len(RECORDS)
    assert rejects == [(len(RECORDS) + 1, "corrupt_record")]


def test_checksum_equals_that_of_tensorflow(written):
    assert masked_crc(struct.pack("<Q", 5)) == struct.unpack_from("<I", written, 8)[0]
