"""Warm-up requests, which a server replays on a new version before it serves it, with the scores of each."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import Message

from serving import protos, raw_features, tensors
from tfmtl.model_inputs import transformed_inputs
from tfmtl.spec import DatasetSpec

WARMUP = "assets.extra/tf_serving_warmup_requests"
BATCH_SIZES = (1, 32, 256)


def warmup_logs(
    spec: DatasetSpec,
    transform: Any,
    score: Callable[[dict[str, tf.Tensor]], Mapping[str, tf.Tensor]],
    examples: Sequence[bytes],
    model_name: str,
) -> list[bytes]:
    """Returns one request for each signature and batch size in `BATCH_SIZES`; the given rows are repeated as needed.

    Args:
        spec: Spec of the dataset.
        transform: Callable that maps the raw features of requests to all transformed features.
        score: Callable that maps transformed features to the outputs by name.
        examples: Serialized tf.Examples of raw features. Those that lack a required feature are left out; without any
            other, the only row has placeholders for the required features.
        model_name: `model_spec.name` of the requests.

    Returns:
        Serialized PredictionLogs with the scores of their requests, with which `tfmtl export-check` compares those of
        the SavedModel. A server ignores them.

    Raises:
        tf.errors.InvalidArgumentError: If an example cannot be parsed.
    """
    served = spec.served
    examples = _complete(served, examples) or [_placeholder(served)]
    batch = tf.constant(list(itertools.islice(itertools.cycle(examples), max(BATCH_SIZES))))
    features = raw_features.parse_examples(served, batch)
    transformed = transform(dict(features))
    signature_inputs = {
        "serving_default": {raw_features.EXAMPLES: batch},
        "raw": raw_features.to_tensors(served, features),
        "transformed": {i.name: transformed[i.name] for i in transformed_inputs(served)},
    }
    outputs = _first(score({i.name: transformed[i.name] for i in transformed_inputs(spec)}), None)
    arrays = {name: _first(one, None) for name, one in signature_inputs.items()}
    return [
        _log(model_name, name, _first(one, size), _first(outputs, size)).SerializeToString()
        for size in BATCH_SIZES
        for name, one in arrays.items()
    ]


def _first(tensors_by_name: Mapping[str, Any], rows: int | None) -> dict[str, np.ndarray]:
    """Returns the first rows of tensors, or all of them."""
    return {name: np.asarray(tensor)[:rows] for name, tensor in tensors_by_name.items()}


def write_warmup(directory: str, logs: Iterable[bytes]) -> None:
    """Writes requests, unless there are none.

    Args:
        directory: Folder of the SavedModel.
        logs: Serialized PredictionLogs.
    """
    logs = list(logs)
    if not logs:
        return
    path = f"{directory}/{WARMUP}"
    tf.io.gfile.makedirs(path.rsplit("/", 1)[0])
    with tf.io.TFRecordWriter(path) as writer:
        for log in logs:
            writer.write(log)


def _complete(spec: DatasetSpec, examples: Sequence[bytes]) -> list[bytes]:
    """Returns the examples that have all required features."""
    required = {i.name: tf.io.VarLenFeature(i.dtype) for i in raw_features.raw_inputs(spec) if i.required}
    if not required or not examples:
        return list(examples)
    complete = tf.ones(len(examples), tf.bool)
    for values in tf.io.parse_example(list(examples), required).values():
        present = tf.SparseTensor(values.indices, raw_features.present(values.values), values.dense_shape)
        counts = tf.sparse.reduce_sum(tf.cast(present, tf.int32), 1)
        complete &= tf.equal(counts, 1)
    return [example for example, keep in zip(examples, complete.numpy(), strict=True) if keep]


def _placeholder(spec: DatasetSpec) -> bytes:
    """Returns a tf.Example with a value for each required feature, which no row of a log need have."""
    example: Any = tf.train.Example()
    for i in raw_features.raw_inputs(spec):
        if i.required and i.dtype == tf.string:
            example.features.feature[i.name].bytes_list.value.append(b"0")
        elif i.required:
            example.features.feature[i.name].float_list.value.append(0.0)
    serialized: bytes = example.SerializeToString()
    return serialized


def _log(
    model_name: str, signature: str, inputs: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]
) -> Message:
    log = protos.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = model_name
    request.model_spec.signature_name = signature
    for name, array in inputs.items():
        tensors.write(request.inputs[name], array, content=True)
    for name, array in outputs.items():
        tensors.write(log.predict_log.response.outputs[name], array, content=True)
    return log
