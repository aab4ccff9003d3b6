"""Encoder of tokens: read by the generated classes, TensorFlow's parser and the decoder of `tfx_bsl`."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from tfx_bsl.coders import example_coder

from transforms.examples.from_tokens import encode_numbers, encode_tokens

NAMES = ("city", "tags", "x")
WEIGHTS = {"tags": "tag_weights"}


def decode(example):
    """Decodes a serialized tf.Example to lists of values by name."""
    features = tf.train.Example.FromString(example).features.feature
    return {name: list(getattr(feature, feature.WhichOneof("kind")).value) for name, feature in features.items()}


def draw(rng, rows, longest=5, length=9):
    """Draws (row, field, token, weight) of tokens; returns them and the expected features of each row."""
    drawn, expected = [], [{} for _ in range(rows)]
    for row in range(rows):
        for field in rng.permutation(len(NAMES)):
            for _ in range(rng.integers(0, longest)):
                drawn.append((row, field, rng.bytes(rng.integers(0, length)), float(np.float32(rng.normal()))))
    order = sorted(range(len(drawn)), key=lambda i: (drawn[i][0], rng.random()))  # Rows ascend, fields are mixed.
    drawn = [drawn[i] for i in order]
    for row, field, token, weight in drawn:
        name = NAMES[field]
        expected[row].setdefault(name, []).append(token)
        if name in WEIGHTS:
            expected[row].setdefault(WEIGHTS[name], []).append(weight)
    return drawn, expected


def encode(rows, drawn, weight_names=WEIGHTS):
    row, field, tokens, weights = zip(*drawn, strict=True) if drawn else ((), (), (), ())
    return encode_tokens(
        NAMES,
        rows,
        np.array(row, np.int64),
        np.array(field, np.int64),
        pa.array(tokens, pa.binary()),
        np.array(weights, np.float32),
        weight_names,
    )


@pytest.mark.parametrize(("longest", "length"), [(2, 9), (5, 300), (200, 3)])
def test_encodes_the_features_of_each_row(longest, length):
    drawn, expected = draw(np.random.default_rng(longest), 40, longest, length)
    assert [decode(example) for example in encode(40, drawn)] == expected


def test_rows_without_features_are_empty():
    assert encode(3, []) == [b"", b"", b""]
    examples = encode(4, [(2, 0, b"Rome", 1.0)])
    assert examples == [b"", b"", serialize(city=b"Rome"), b""]


def serialize(city):
    value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[city]))
    return tf.train.Example(features=tf.train.Features(feature={"city": value})).SerializeToString()


def test_weights_without_name_are_omitted():
    drawn = [(0, 1, b"a", 0.5), (0, 1, b"b", 2.0)]
    assert [decode(example) for example in encode(1, drawn, {})] == [{"tags": [b"a", b"b"]}]
    assert [decode(example) for example in encode(1, drawn)] == [{"tags": [b"a", b"b"], "tag_weights": [0.5, 2.0]}]


@pytest.mark.parametrize("number", [0, 1, 127, 128, 70_000, 2**40])
def test_encodes_numbers(number):
    assert decode(encode_numbers({"click": number, "buy": 3})) == {"click": [number], "buy": [3]}


def test_parsers_merge_concatenated_examples():
    drawn, expected = draw(np.random.default_rng(1), 30)
    labels = encode_numbers({"click": 1, "buy": 0})
    joined = [own + labels for own in encode(30, drawn)]
    assert [decode(example) for example in joined] == [{**row, "click": [1], "buy": [0]} for row in expected]

    kinds = {"city": tf.string, "tags": tf.string, "x": tf.string, "tag_weights": tf.float32}
    parsed = tf.io.parse_example(joined, {name: tf.io.VarLenFeature(kind) for name, kind in kinds.items()})
    labels_spec = {name: tf.io.FixedLenFeature([], tf.int64) for name in ("click", "buy")}
    for name in kinds:
        values = tf.RaggedTensor.from_sparse(parsed[name]).to_list()
        assert values == [row.get(name, []) for row in expected]
    assert tf.io.parse_example(joined, labels_spec)["click"].numpy().tolist() == [1] * 30

    batch = example_coder.ExamplesToRecordBatchDecoder().DecodeBatch(joined).to_pydict()
    for name in kinds:
        assert [values or [] for values in batch[name]] == [row.get(name, []) for row in expected]
    assert batch["click"] == [[1]] * 30
