"""Warm-up requests, which a server replays on a new version before it serves it."""

import itertools
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from google.protobuf.message import Message

from serving import protos, raw_features, tensors
from tfmtl.model_inputs import transformed_inputs
from tfmtl.spec import DatasetSpec

WARMUP = "assets.extra/tf_serving_warmup_requests"
BATCH_SIZES = (1, 32, 256)


def write_warmup(spec: DatasetSpec, transform: Any, directory: str, examples: Sequence[bytes], model_name: str) -> None:
    """Writes one request for each signature and batch size in `BATCH_SIZES`; the given rows are repeated as needed.

    Args:
        spec: Spec of the dataset.
        transform: Callable that maps raw features to transformed features.
        directory: Folder of the SavedModel.
        examples: Serialized tf.Examples of raw features, at least one.
        model_name: `model_spec.name` of the requests.
    """
    path = f"{directory}/{WARMUP}"
    tf.io.gfile.makedirs(path.rsplit("/", 1)[0])
    with tf.io.TFRecordWriter(path) as writer:
        for size in BATCH_SIZES:
            batch = tf.constant(list(itertools.islice(itertools.cycle(examples), size)))
            features = raw_features.parse_examples(spec, batch)
            transformed = transform(dict(features))
            signature_inputs = {
                "serving_default": {raw_features.EXAMPLES: batch},
                "raw": raw_features.to_tensors(spec, features),
                "transformed": {i.name: transformed[i.name] for i in transformed_inputs(spec)},
            }
            for signature, inputs in signature_inputs.items():
                writer.write(_log(model_name, signature, inputs).SerializeToString())


def _log(model_name: str, signature: str, inputs: dict[str, tf.Tensor]) -> Message:
    log = protos.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = model_name
    request.model_spec.signature_name = signature
    for name, tensor in inputs.items():
        tensors.write(request.inputs[name], tensor.numpy(), content=True)
    return log
