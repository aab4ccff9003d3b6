"""TFRecord files as TensorFlow writes and reads them."""

import gzip
import io

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from transforms.examples.record_writer import RecordWriter, frame


def rows(seed, count, longest=300):
    draw = np.random.default_rng(seed)
    return [draw.bytes(int(size)) for size in draw.integers(0, longest, count)]


def written(path, batches):
    writer = RecordWriter(path.open("wb"))
    for batch in batches:
        writer.write(batch)
    writer.close()
    return path


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_equals_the_file_of_tensorflow(tmp_path, count):
    data = rows(count, count)
    with tf.io.TFRecordWriter(str(tmp_path / "expected")) as expected:
        for row in data:
            expected.write(row)
    path = written(tmp_path / "a.gz", [pa.array(data, pa.binary())])
    assert gzip.decompress(path.read_bytes()) == (tmp_path / "expected").read_bytes()
    assert list(tf.data.TFRecordDataset(str(path), "GZIP").as_numpy_iterator()) == data


def test_batches_and_slices_follow_each_other(tmp_path):
    data = rows(1, 50)
    array = pa.array(data, pa.binary())
    path = written(tmp_path / "a.gz", [array[:3], array.slice(3, 0), array.slice(3, 20), array[23:]])
    assert list(tf.data.TFRecordDataset(str(path), "GZIP").as_numpy_iterator()) == data


def test_a_changed_byte_is_found_by_tensorflow(tmp_path):
    data = bytearray(frame(pa.array([b"first", b"second"])))
    data[13] ^= 1
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(tf.errors.DataLossError, match="corrupted record"):
        list(tf.data.TFRecordDataset(str(tmp_path / "a")))


def test_a_failing_stream_raises():
    stream = io.BytesIO()
    stream.close()
    with pytest.raises(ValueError, match="closed file"):
        RecordWriter(stream).write(pa.array([b"a" * (1 << 20)] * 3))
