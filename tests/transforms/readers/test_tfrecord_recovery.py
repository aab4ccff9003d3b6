"""A TFRecord file gives every record that is whole, and says what is not, wherever it is damaged."""

import bz2
import gzip
import io
import struct
import zlib

import pytest
import tensorflow as tf

from transforms.readers.tfrecord_recovery import masked_crc, read_records

RECORDS = [b"first", b"", b"x" * 300, bytes(range(256)), b"last one"]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """What TensorFlow writes."""
    path = tmp_path_factory.mktemp("records") / "log.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in RECORDS:
            writer.write(record)
    return path.read_bytes()


def begin(number):
    """Where a record begins in the file; its bytes begin 12 bytes later."""
    return sum(16 + len(record) for record in RECORDS[:number])


def read(data, block_bytes=1 << 20):
    """Records by number, and number and reason of each reject."""
    found, rejects = {}, []
    for records in read_records(io.BytesIO(data), "log", block_bytes):
        found |= dict(zip(records.numbers, records.data, strict=True))
        rejects += [(reject.line, reject.reason) for reject in records.rejects]
    return found, rejects


def flip(data, place):
    return data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :]


def others(*bad):
    """All records but those of these numbers."""
    return {number: record for number, record in enumerate(RECORDS, 1) if number not in bad}


@pytest.mark.parametrize("block_bytes", [1, 7, 100, 1 << 20])
@pytest.mark.parametrize("members", [0, 1, 3])
def test_whole_files(written, block_bytes, members):
    """Plain and compressed, in one gzip stream or in several, one after another."""
    data = written
    if members:
        size = -(-len(written) // members)
        data = b"".join(gzip.compress(written[start : start + size]) for start in range(0, len(written), size))
    assert read(data, block_bytes) == (others(), [])


def test_no_records():
    assert read(b"") == ({}, [])
    assert read(gzip.compress(b"")) == ({}, [])


@pytest.mark.parametrize("block_bytes", [5, 1 << 20])
@pytest.mark.parametrize("number", [1, 3, 4, 5])
def test_a_record_without_its_checksum_is_rejected_alone(written, number, block_bytes):
    data = flip(written, begin(number - 1) + 12)
    assert read(data, block_bytes) == (others(number), [(number, "corrupt_record")])
    assert read(gzip.compress(data), block_bytes) == (others(number), [(number, "corrupt_record")])


@pytest.mark.parametrize("block_bytes", [5, 1 << 20])
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("place", [0, 7, 8, 11])
def test_after_a_damaged_length_the_next_record_is_found(written, number, place, block_bytes):
    data = flip(written, begin(number - 1) + place)
    assert read(data, block_bytes) == (others(number), [(number, "corrupt_record")])


@pytest.mark.parametrize("block_bytes", [5, 1 << 20])
def test_bytes_that_are_missing_or_too_many(written, block_bytes):
    place = begin(2) + 50
    for data in (written[:place] + written[place + 1 :], written[:place] + b"?" + written[place:]):
        assert read(data, block_bytes) == (others(3), [(3, "corrupt_record")])


def test_several_damaged_places(written):
    data = flip(flip(written, begin(1)), begin(3) + 20)
    assert read(data) == (others(2, 4), [(2, "corrupt_record"), (4, "corrupt_record")])


def test_what_is_lost_in_one_stretch_counts_once(written):
    data = flip(flip(written, begin(1)), begin(2))
    found, rejects = read(data)
    assert rejects == [(2, "corrupt_record")]
    assert list(found.values()) == [RECORDS[0], *RECORDS[3:]]


@pytest.mark.parametrize("block_bytes", [5, 1 << 20])
@pytest.mark.parametrize("left", [1, 8, 12, 15, 16 + 7])
def test_a_file_that_ends_within_a_record(written, left, block_bytes):
    assert read(written[: begin(4) + left], block_bytes) == (others(5), [(5, "truncated_record")])


def test_a_file_that_ends_after_a_damaged_length(written):
    data = flip(written, begin(4))[:-3]
    assert read(data) == (others(5), [(5, "corrupt_record")])


@pytest.mark.parametrize("block_bytes", [5, 1 << 20])
def test_a_gzip_stream_that_is_cut_or_damaged(written, block_bytes):
    """All is read that comes out before that. The data does not compress, so that this is known."""
    data = gzip.compress(written, 0)
    cut = data[: 15 + begin(3) + 40]
    assert read(cut, block_bytes) == (others(4, 5), [(4, "truncated_record")])
    without_end = data[:-8]
    assert read(without_end, block_bytes) == (others(), [(6, "truncated_record")])
    wrong_checksum = flip(data, len(data) - 8)
    assert read(wrong_checksum, block_bytes) == (others(), [(6, "truncated_record")])


@pytest.mark.parametrize("other", [zlib.compress, bz2.compress, lambda _: b"user,item,click\n1,2,0\n"])
@pytest.mark.parametrize("block_bytes", [5, 1 << 20])
def test_a_file_of_another_kind_is_no_rejected_row(written, other, block_bytes):
    data = other(written)
    with pytest.raises(
        ValueError, match=r"log: should be a TFRecord file, plain or compressed by gzip. Received: \d+ bytes"
    ):
        list(read_records(io.BytesIO(data), "log", block_bytes))


def test_details_say_where(written):
    data = flip(flip(written, begin(0) + 12), begin(2))[:-1]
    (first, second, third) = [r for records in read_records(io.BytesIO(data), "log") for r in records.rejects]
    assert first.detail == "should be bytes that have their checksum. Received: 5 others"
    assert first.text == "\\x99irst"
    assert (
        second.detail
        == f"should be a record with its checksums. Received: 316 bytes from byte {begin(2)} on without one"
    )
    assert third.detail == "should be a whole record. Received: 23 bytes and the file's end"


def test_a_long_stretch_of_zeros_is_passed_quickly(written):
    """As a disk that was full leaves behind; each place of it could be the length of a record."""
    found, rejects = read(written + bytes(3_000_000) + written)
    assert len(found) == 2 * len(RECORDS)
    assert rejects == [(len(RECORDS) + 1, "corrupt_record")]


def test_checksum_is_that_of_tensorflow(written):
    assert masked_crc(struct.pack("<Q", 5)) == struct.unpack_from("<I", written, 8)[0]
