"""Small files of raw rows in each format."""

import csv

import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf


def write_csv(rows, path, delimiter=","):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_parquet(rows, path):
    pq.write_table(pa.Table.from_pylist(rows), path)


def write_tfrecord(rows, path):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for row in rows:
            features = {name: _feature(value) for name, value in row.items()}
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


def _feature(value):
    values = value if isinstance(value, list) else [value]
    if isinstance(values[0], str):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[one.encode() for one in values]))
    if isinstance(values[0], float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[int(one) for one in values]))
