"""Columns become the tf.Examples that TFX's own coder makes of them, and that parsers read back."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from tfx_bsl.coders import example_coder

from transforms.examples.from_columns import encode, encode_empty_features

LISTS = pa.list_(pa.binary()), pa.list_(pa.float32()), pa.list_(pa.int64())


def draw(rng, kind, longest):
    """A cell of a column: missing as often as not, never an empty list."""
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
    rng = np.random.default_rng(seed)
    columns = {f"column_{kind}_{i}": (kind, i) for kind in range(3) for i in range(3)}
    cells = {name: [draw(rng, kind, longest) for _ in range(rows)] for name, (kind, _) in columns.items()}
    arrays = [pa.array(cells[name], LISTS[kind]) for name, (kind, _) in columns.items()]
    return pa.record_batch(arrays, list(columns)), cells


def features(example):
    """What a row has: type and values, by name; bytes of floats, since -0 is not 0."""
    found = {}
    for name, feature in tf.train.Example.FromString(example).features.feature.items():
        kind = feature.WhichOneof("kind")
        if kind:
            values = list(getattr(feature, kind).value)
            found[name] = (kind, np.array(values, "float32").tobytes() if kind == "float_list" else values)
    return found


@pytest.mark.parametrize("longest", [1, 2, 40])
def test_rows_are_those_of_tfxs_coder(longest):
    columns, _ = batch(60, longest)
    ours, theirs = encode(columns), example_coder.RecordBatchToExamples(columns)
    assert list(map(features, ours)) == list(map(features, theirs))
    assert any(features(row) for row in ours)


def test_tensorflow_reads_what_was_written():
    columns, cells = batch(50, 3, seed=1)
    names = [name for name in cells if name.startswith("column_2")]
    parsed = tf.io.parse_example(encode(columns), {name: tf.io.RaggedFeature(tf.int64) for name in names})
    for name in names:
        assert parsed[name].to_list() == [cell or [] for cell in cells[name]]


def test_a_row_does_not_depend_on_those_beside_it():
    columns, _ = batch(40, 3, seed=2)
    rows = encode(columns)
    assert encode(columns.slice(7, 20)) == rows[7:27]
    assert encode(columns.take(pa.array([5, 5, 0]))) == [rows[5], rows[5], rows[0]]
    assert encode(columns.slice(3, 0)) == []


def test_rows_without_anything():
    empty = pa.record_batch([pa.array([None, [], None], one) for one in LISTS], ["a", "b", "c"])
    assert [features(row) for row in encode(empty)] == [{}, {}, {}]
    assert len(encode(pa.record_batch([pa.array([[b"x"], None, []], LISTS[0])], ["a"]))) == 3


def test_what_a_row_lacks_is_appended():
    """Protobuf merges the two messages."""
    columns, _ = batch(40, 2, seed=3)
    kinds = ("bytes_list", "float_list", "int64_list")
    seen = 0
    for place, row in enumerate(encode(columns)):
        lacks = {
            field.name: field.type for field in columns.schema if not columns[field.name].is_valid()[place].as_py()
        }
        some, every = (tf.train.Example.FromString(one).features.feature for one in (row, row + encode_empty_features(lacks)))
        assert sorted(every) == columns.schema.names
        for name in columns.schema.names:
            kind = kinds[int(name.split("_")[1])]
            assert every[name].WhichOneof("kind") == kind
            assert getattr(every[name], kind).value == (getattr(some[name], kind).value if name in some else [])
            seen += name not in some
    assert seen > 50
    assert tf.train.Example.FromString(encode_empty_features({})) == tf.train.Example(features=tf.train.Features())


def test_a_column_of_another_type_is_named():
    with pytest.raises(TypeError, match=r"b: should be lists of binary, float or int64. Received: list<item: double>"):
        encode(pa.record_batch([pa.array([[1.0]], pa.list_(pa.float64()))], ["b"]))
    with pytest.raises(TypeError, match=r"b: should be lists .* Received: int64"):
        encode(pa.record_batch([pa.array([1])], ["b"]))
