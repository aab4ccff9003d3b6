"""Crosses in the rows of logistic regression: one column for each combination of values in the training split."""

import numpy as np
import tensorflow as tf

from pipelines.evaluation.one_hot_rows import OneHotColumns
from tfmtl.features import CategoricalFeature, Cross, NumericalFeature
from tfmtl.spec import DatasetSpec, Task

SPEC = DatasetSpec(
    "shop",
    (CategoricalFeature("user"), NumericalFeature("price", scale=1.0)),
    (Task("click", "clicked"),),
    crosses=(Cross("user_price", ("user", "price"), buckets=10),),
)
ROWS = [
    ("ann", 0.0),
    ("ann", 0.1),
    ("bob", 0.0),
    ("ann", 100.0),
    ("bob", None),
    ("", 0.0),
    ("ann", 0.0),
    ("ann", 1.0),
    ("ann", 2.0),
]


def write(path, rows):
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for user, price in rows:
            features = tf.train.Features()
            features.feature["user"].bytes_list.value.extend([user.encode()] if user else [])
            features.feature["price"].float_list.value.extend([] if price is None else [price])
            features.feature["clicked"].int64_list.value.append(1)
            writer.write(tf.train.Example(features=features).SerializeToString())


def test_each_combination_of_the_training_rows_is_a_column(tmp_path):
    write(tmp_path / "train", ROWS)
    write(tmp_path / "test", [("bob", 100.0), ("bob", 0.2)])
    columns = OneHotColumns(SPEC)
    ((matrix, _),) = list(columns.read([str(tmp_path / "train")], grow=True))
    crossed = [index for (name, _), index in columns.indices.items() if name == "user_price"]
    found = matrix.toarray()[:, crossed]
    assert found.shape == (9, 6)
    np.testing.assert_array_equal(found.sum(axis=1), 1)
    combinations = found.argmax(axis=1)
    assert combinations[0] == combinations[1] == combinations[6]
    assert combinations[7] == combinations[8], "log1p of both rounds to 1"
    assert len(set(combinations[[0, 2, 3, 4, 5, 7]])) == 6
    ((matrix, _),) = list(columns.read([str(tmp_path / "test")], grow=False))
    np.testing.assert_array_equal(matrix.toarray()[:, crossed].sum(axis=1), [0, 1])
    assert matrix.toarray()[1, crossed].argmax() == combinations[2]
