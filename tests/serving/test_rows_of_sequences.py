"""Padding of lists whose width the signature fixes."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving.rows import Batch, features_of

NAN = float("nan")


def sent(inputs, rows, raw=True):
    """Returns the tensors that a client sends for `rows`; `inputs` gives type and shape by name."""
    signature = meta_graph_pb2.SignatureDef()
    for name, (dtype, shape) in inputs.items():
        info = signature.inputs[name]
        info.dtype = tf.dtypes.as_dtype(dtype).as_datatype_enum
        info.tensor_shape.CopyFrom(tf.TensorShape(shape).as_proto())
    protos = {name: tensor_pb2.TensorProto() for name in inputs}
    Batch(rows, features_of(signature, raw)).write(protos, 0, len(rows))
    return {name: tf.make_ndarray(proto) for name, proto in protos.items()}


def test_sequences_are_padded_on_the_left_and_other_lists_on_the_right():
    inputs = {
        "clicks": ("float32", [None, 3]),
        "pages": ("string", [None, 2]),
        "tags": ("string", [None, None]),
        "weights": ("float32", [None, None]),
    }
    rows = [
        {"clicks": [1, 2], "pages": ["a"], "tags": ["x", "y"], "weights": [0.5]},
        {"clicks": [4, None, 6], "pages": ["b", None], "tags": ["z"]},
        {},
    ]
    arrays = sent(inputs, rows)
    np.testing.assert_array_equal(arrays["clicks"], [[NAN, 1, 2], [4, NAN, 6], [NAN] * 3])
    assert arrays["pages"].tolist() == [[b"", b"a"], [b"b", b""], [b"", b""]]
    assert arrays["tags"].tolist() == [[b"x", b"y"], [b"z", b""], [b"", b""]]
    np.testing.assert_array_equal(arrays["weights"], [[0.5, NAN], [NAN, NAN], [NAN, NAN]])


def test_transformed_ids_and_weights_are_padded_with_0():
    inputs = {"clicks": ("int64", [None, 3]), "clicks__weights": ("float32", [None, 3])}
    arrays = sent(inputs, [{"clicks": [7, 8], "clicks__weights": [1.0, 1.0]}, {}], raw=False)
    assert arrays["clicks"].tolist() == [[0, 7, 8], [0, 0, 0]]
    assert arrays["clicks__weights"].tolist() == [[0, 1, 1], [0, 0, 0]]


def test_rejects_lists_that_are_too_long():
    with pytest.raises(ValueError, match=r"row 0, feature 'clicks' should be a list of at most 2 numbers\. Received: "):
        sent({"clicks": ("float32", [None, 2])}, [{"clicks": [1, 2, 3]}])
