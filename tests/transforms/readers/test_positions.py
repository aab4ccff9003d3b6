"""Positions of batches: the stored bytes of a file that are read, whatever its format is."""

import bz2
import gzip
import pathlib

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import tensorflow as tf

from tfmtl.features import CategoricalFeature
from tfmtl.spec import DatasetSpec, Task
from transforms.ingest.ingest_files import ingest
from transforms.readers.csv_reader import read_csv

SPEC = DatasetSpec("shop", (CategoricalFeature("user"),), (Task("click", "clicked"),))
ROWS = 200_000


@pytest.fixture(scope="module")
def table():
    return pa.table({"user": [f"u{i}" for i in range(ROWS)], "clicked": [i % 2 for i in range(ROWS)]})


def write(table, path):
    if path.suffix == ".parquet":
        pa.parquet.write_table(table, path)
    elif "tfrecord" in path.name:
        with tf.io.TFRecordWriter(str(path)) as writer:
            for row in table.to_pylist()[:1000]:
                user = tf.train.Feature(bytes_list=tf.train.BytesList(value=[row["user"].encode()]))
                clicked = tf.train.Feature(int64_list=tf.train.Int64List(value=[row["clicked"]]))
                features = tf.train.Features(feature={"user": user, "clicked": clicked})
                writer.write(tf.train.Example(features=features).SerializeToString())
    else:
        sink = pa.BufferOutputStream()
        pa.csv.write_csv(table, sink)
        data = sink.getvalue().to_pybytes()
        path.write_bytes({".gz": gzip.compress, ".bz2": bz2.compress}.get(path.suffix, bytes)(data))
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.csv.bz2", "a.parquet", "a.tfrecord"])
def test_the_position_grows_to_the_size_of_the_file(tmp_path, table, name):
    path = write(table, tmp_path / name)
    seen = []
    for _ in ingest([str(path)], SPEC, progress=lambda *position: seen.append(position)):
        pass
    assert {part.path for part, _ in seen} == {str(path)}
    positions = [position for _, position in seen]
    assert positions == sorted(positions)
    assert positions[-1] == path.stat().st_size


def test_the_position_is_between_the_ends_while_a_file_is_read(tmp_path, table):
    path = write(table, tmp_path / "a.csv")
    positions = [batch.position for batch in read_csv(str(path), ["user"], block_bytes=1 << 18)]
    assert len(set(positions)) > 5
    assert pathlib.Path(path).stat().st_size == positions[-1]
