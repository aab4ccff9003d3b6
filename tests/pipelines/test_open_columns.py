"""Columns of open labels in what reads rows: training has all of them, what judges a model the known ones."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from pipelines.label_columns import known_labels, label_parsing, training_labels
from pipelines.training.input_pipeline import InputPipeline
from tfmtl.features import CategoricalFeature
from tfmtl.spec import DatasetSpec, OpenLabels, RandomSplit, Task

OPTIONS = {
    "wait": OpenLabels("pending", copy="copy"),
    "importance": OpenLabels("pending", "importance", copy="copy"),
    "delay": OpenLabels("pending", "delay", copy="copy", elapsed="elapsed"),
}
ROWS = {
    "clicked": [1, 1, 1, 0, 1],
    "bought": [1, 0, 1, 0, 1],
    "pending": [0, 0, 1, 1, 0],
    "copy": [0, 0, 0, 0, 1],
    "elapsed": [0.5, 8.0, 1.25, 2.0, 0.5],
}


def spec_of(maturity):
    buy = Task("buy", "bought", follows="click", open=OPTIONS[maturity])
    split = RandomSplit(key=("page",))
    return DatasetSpec("rows", (CategoricalFeature("page"),), (Task("click", "clicked"), buy), split=split)


@pytest.fixture
def examples():
    found = []
    for row in range(len(ROWS["clicked"])):
        example = tf.train.Example()
        example.features.feature["page"].bytes_list.value.append(b"1")
        for name, values in ROWS.items():
            kind = "float_list" if name == "elapsed" else "int64_list"
            getattr(example.features.feature[name], kind).value.append(values[row])
        found.append(example.SerializeToString())
    return found


@pytest.mark.parametrize("maturity", OPTIONS)
def test_known_labels_are_neither_pending_nor_those_of_copies(maturity, examples):
    spec = spec_of(maturity)
    labels = known_labels(spec, tf.io.parse_example(examples, label_parsing(spec)))
    np.testing.assert_array_equal(labels["clicked"], [1, 1, 1, 0, np.nan])
    np.testing.assert_array_equal(labels["bought"], [1, 0, np.nan, np.nan, np.nan])


def test_a_value_is_known_where_its_event_is(examples):
    spec = spec_of("wait")
    spec = dataclasses.replace(spec, tasks=(*spec.tasks, Task("paid", "elapsed", kind="value", follows="buy")))
    labels = known_labels(spec, tf.io.parse_example(examples, label_parsing(spec)))
    np.testing.assert_array_equal(labels["elapsed"], [0.5, 8.0, np.nan, np.nan, np.nan])


@pytest.mark.parametrize("maturity", OPTIONS)
def test_labels_of_training(maturity, examples):
    spec = spec_of(maturity)
    labels = training_labels(spec, tf.io.parse_example(examples, label_parsing(spec)))
    assert list(labels) == ["click", "buy", *OPTIONS[maturity].columns]
    expected = [1, 0, np.nan, np.nan, np.nan] if maturity == "wait" else ROWS["bought"]
    np.testing.assert_array_equal(labels["buy"], expected)
    for name in OPTIONS[maturity].columns:
        np.testing.assert_array_equal(labels[name], np.float32(ROWS[name]))


@pytest.mark.parametrize("maturity", OPTIONS)
def test_the_input_pipeline_has_the_columns(maturity, examples, tmp_path):
    spec, path = spec_of(maturity), str(tmp_path / "rows.gz")
    with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions("GZIP")) as writer:
        for example in examples:
            writer.write(example)

    def transform(raw):
        return {"page": tf.strings.to_number(tf.sparse.to_dense(raw["page"], b"0")[:, 0], tf.int64)}

    (batch,) = InputPipeline(spec, transform, batch_size=10).evaluation([path])
    expected = training_labels(spec, tf.io.parse_example(examples, label_parsing(spec)))
    assert batch[1].keys() == expected.keys()
    for name, values in batch[1].items():
        np.testing.assert_array_equal(values, expected[name])
