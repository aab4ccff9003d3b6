"""Rows that ExampleGen wrote, in a form in which two runs can be compared."""

import collections
import pathlib

import tensorflow as tf


def count_rows(uri, split) -> collections.Counter:
    """Counts the occurrences of each row, regardless of the order of the rows and of the features in their bytes."""
    files = sorted(str(path) for path in pathlib.Path(uri, f"Split-{split}").iterdir())
    return collections.Counter(map(_content, tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator()))


def _content(example):
    features = tf.train.Example.FromString(example).features.feature
    return tuple(sorted((name, feature.SerializeToString()) for name, feature in features.items()))
