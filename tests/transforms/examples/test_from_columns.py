"""Encoder of typed columns: equal to the encoder of `tfx_bsl`, and read by TensorFlow's parser."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from tfx_bsl.coders import example_coder

from transforms.examples.from_columns import encode, encode_empty_features

LISTS = pa.list_(pa.binary()), pa.list_(pa.float32()), pa.list_(pa.int64())


def draw(rng, kind, longest):
    """Draws one value of a column: None, or a list that is not empty."""
    count = rng.integers(0, longest + 1)
    if not count:
        return None
    if kind == 0:
        return [
            rng.bytes(rng.choice([0, 1, 5, 127, 128, 20_000], p=[0.1, 0.2, 0.5, 0.1, 0.09, 0.01])) for _ in range(count)
        ]
    if kind == 1:
        return rng.choice([0.0, -0.0, 1.5, np.inf, -1e38, 1e-45], count).astype("float32").tolist()
    return rng.choice([0, 1, 127, 128, -1, 2**63 - 1, -(2**63)], count).tolist()


def batch(rows, longest, seed=0):
    """Draws columns of all types; returns them as a record batch and as lists by name."""
    rng = np.random.default_rng(seed)
    columns = {f"column_{kind}_{i}": (kind, i) for kind in range(3) for i in range(3)}
    lists = {name: [draw(rng, kind, longest) for _ in range(rows)] for name, (kind, _) in columns.items()}
    arrays = [pa.array(lists[name], LISTS[kind]) for name, (kind, _) in columns.items()]
    return pa.record_batch(arrays, list(columns)), lists


def features(example):
    """Returns kind and values of each feature of a tf.Example; floats as bytes, to distinguish -0 from 0."""
    values_by_name = {}
    for name, feature in tf.train.Example.FromString(example).features.feature.items():
        kind = feature.WhichOneof("kind")
        if kind:
            values = list(getattr(feature, kind).value)
            values_by_name[name] = (kind, np.array(values, "float32").tobytes() if kind == "float_list" else values)
    return values_by_name


@pytest.mark.parametrize("longest", [1, 2, 40])
def test_equals_the_encoder_of_tfx_bsl(longest):
    columns, _ = batch(60, longest)
    examples, expected = encode(columns).to_pylist(), example_coder.RecordBatchToExamples(columns)
    assert list(map(features, examples)) == list(map(features, expected))
    assert any(features(row) for row in examples)


def test_tensorflow_parses_encoded_rows():
    columns, lists = batch(50, 3, seed=1)
    names = [name for name in lists if name.startswith("column_2")]
    parsed = tf.io.parse_example(encode(columns).to_pylist(), {name: tf.io.RaggedFeature(tf.int64) for name in names})
    for name in names:
        assert parsed[name].to_list() == [values or [] for values in lists[name]]


def test_a_row_is_encoded_independently_of_other_rows():
    columns, _ = batch(40, 3, seed=2)
    rows = encode(columns).to_pylist()
    assert encode(columns.slice(7, 20)).to_pylist() == rows[7:27]
    assert encode(columns.take(pa.array([5, 5, 0]))).to_pylist() == [rows[5], rows[5], rows[0]]
    assert encode(columns.slice(3, 0)).to_pylist() == []


def test_rows_without_values():
    empty = pa.record_batch([pa.array([None, [], None], list_type) for list_type in LISTS], ["a", "b", "c"])
    assert [features(row) for row in encode(empty).to_pylist()] == [{}, {}, {}]
    assert len(encode(pa.record_batch([pa.array([[b"x"], None, []], LISTS[0])], ["a"]))) == 3


def test_appended_empty_features_are_merged():
    columns, _ = batch(40, 2, seed=3)
    kinds = ("bytes_list", "float_list", "int64_list")
    added = 0
    for i, row in enumerate(encode(columns).to_pylist()):
        missing = {field.name: field.type for field in columns.schema if not columns[field.name].is_valid()[i].as_py()}
        before = tf.train.Example.FromString(row).features.feature
        after = tf.train.Example.FromString(row + encode_empty_features(missing)).features.feature
        assert sorted(after) == columns.schema.names
        for name in columns.schema.names:
            kind = kinds[int(name.split("_")[1])]
            assert after[name].WhichOneof("kind") == kind
            assert getattr(after[name], kind).value == (getattr(before[name], kind).value if name in before else [])
            added += name not in before
    assert added > 50
    assert tf.train.Example.FromString(encode_empty_features({})) == tf.train.Example(features=tf.train.Features())


def test_error_names_column_of_unsupported_type():
    with pytest.raises(TypeError, match=r"b: should be lists of binary, float or int64. Received: list<item: double>"):
        encode(pa.record_batch([pa.array([[1.0]], pa.list_(pa.float64()))], ["b"]))
    with pytest.raises(TypeError, match=r"b: should be lists .* Received: int64"):
        encode(pa.record_batch([pa.array([1])], ["b"]))
