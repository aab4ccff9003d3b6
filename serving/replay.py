"""Replay of recorded requests on a version, for its warm-up."""

import pathlib
from typing import Any

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError

from serving import inference, protos
from serving.errors import StatusError, invalid_argument
from serving.requests.examples_request import parse_examples_request, parse_multi_inference_request
from serving.requests.limits import Limits
from serving.servable import DEFAULT_SIGNATURE, Servable
from serving.tensors import MAX_BYTES

WARMUP_FILE = pathlib.PurePath("assets.extra", "tf_serving_warmup_requests")
MAX_WARMUP_RECORDS = 1000

_LIMITS = Limits(max_message_bytes=MAX_BYTES)


def warm_up(servable: Servable) -> int:
    """Replays the recorded requests of an export, if it has any.

    Args:
        servable: Version of the model.

    Returns:
        Number of replayed requests.

    Raises:
        StatusError: If a request fails, or the file is not a TFRecord file of at most 1000 PredictionLogs.
    """
    path = servable.path / WARMUP_FILE
    if not path.is_file():
        return 0
    count = 0
    try:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            count += 1
            if count > MAX_WARMUP_RECORDS:
                text = f"Number of warmup records exceeds the maximum ({MAX_WARMUP_RECORDS}) at {path}"
                raise invalid_argument(text)
            replay(servable, protos.PredictionLog.FromString(record))
    except DecodeError as error:
        raise invalid_argument(f"Failed to parse warmup record: number {count} from {path}") from error
    except tf.errors.DataLossError as error:
        text = f"{error.message}. Please verify your warmup data is in TFRecord format."
        raise StatusError(grpc.StatusCode.DATA_LOSS, text) from error
    return count


def replay(servable: Servable, log: Any) -> None:
    """Runs the request of a `PredictionLog`, whatever model and version it names.

    Args:
        servable: Version to run it on.
        log: Recorded request.

    Raises:
        StatusError: If the request fails, or is not of a kind that TensorFlow Serving replays.
    """
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = log.predict_log.request
        servable.predict(request.model_spec.signature_name or DEFAULT_SIGNATURE, request.inputs, request.output_filter)
    elif kind in _INFER:
        _infer(servable, getattr(log, kind).request, *_INFER[kind])
    elif kind == "multi_inference_log":
        data = log.multi_inference_log.request.SerializeToString()
        parsed = parse_multi_inference_request(data, _LIMITS)
        inference.infer_all(servable, parsed.tasks, parsed.examples, protos.MultiInferenceResponse(), _LIMITS)
    else:
        raise StatusError(grpc.StatusCode.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")


_INFER = {
    "classify_log": (inference.CLASSIFY, protos.ClassificationResponse),
    "regress_log": (inference.REGRESS, protos.RegressionResponse),
}


def _infer(servable: Servable, request: Any, method: str, response_type: Any) -> None:
    parsed = parse_examples_request(type(request), request.SerializeToString(), _LIMITS)
    name = parsed.model_spec.signature_name if parsed.model_spec is not None else ""
    inference.infer(servable, method, name, parsed.examples, response_type().result, _LIMITS)
