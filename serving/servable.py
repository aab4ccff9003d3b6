"""Loaded version of a SavedModel: a graph session, as in TensorFlow Serving, with its signatures as callables.

A session runs an export exactly as the C++ server does: it fails on the same exports, with the same texts. A callable
made from options is several times faster than `Session.run` or an eager signature. It runs on the thread of the
request, which saves the switch to a thread pool; at batch 1 that switch costs as much as a small model.
"""

import pathlib
import threading
from collections.abc import Callable, Iterable, Mapping

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import message
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2

from serving import protos, tensors
from serving.errors import StatusError, invalid_argument, not_found

DEFAULT_SIGNATURE = "serving_default"
WARMUP_FILE = pathlib.PurePath("assets.extra", "tf_serving_warmup_requests")
MAX_WARMUP_RECORDS = 1000

_CALLER_THREAD = -1
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_METHODS = tuple(f"tensorflow/serving/{method}" for method in ("predict", "classify", "regress"))


class Servable:
    """Version of a model that answers requests from any number of threads until it is closed.

    Args:
        path: Folder of the SavedModel.

    Raises:
        StatusError: If it cannot be loaded.
    """

    def __init__(self, path: pathlib.Path):
        if not tf.saved_model.contains_saved_model(str(path)):
            raise not_found(f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}")
        self._path = path
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        try:
            with self._session.graph.as_default():
                graph = tf.compat.v1.saved_model.load(self._session, [tf.saved_model.SERVING], str(path))
        except tf.errors.OpError as error:
            self._session.close()
            raise _runtime_error(error) from error
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            self._session.close()
            raise StatusError(grpc.StatusCode.DATA_LOSS, f"Can't load SavedModel {path}: {error}") from error
        self._signatures: dict[str, meta_graph_pb2.SignatureDef] = dict(graph.signature_def)
        self._callables: dict[tuple[tuple[str, ...], tuple[str, ...]], Callable[..., list[np.ndarray]]] = {}
        self._lock = threading.Lock()

    @property
    def signatures(self) -> Mapping[str, meta_graph_pb2.SignatureDef]:
        """All signatures by name."""
        return self._signatures

    def predict(
        self, signature_name: str, inputs: Mapping[str, message.Message], output_filter: Iterable[str] = ()
    ) -> dict[str, np.ndarray]:
        """Runs a signature.

        Args:
            signature_name: Name of the signature.
            inputs: Tensor of each of its inputs by alias.
            output_filter: Aliases of the outputs to compute; all of them if empty.

        Returns:
            The outputs by alias.

        Raises:
            StatusError: If the request is invalid or fails, with the code and text of TensorFlow Serving.
        """
        signature = self._signature(signature_name)
        arrays = _decode_inputs(signature, inputs)
        outputs = _check_filter(signature, output_filter)
        # Sorted by tensor name, so that `arg[i]` has the index of the C++ server.
        aliases = sorted(arrays, key=lambda alias: signature.inputs[alias].name)
        for index, alias in enumerate(aliases):
            expected, provided = signature.inputs[alias].dtype, inputs[alias].dtype
            if expected != provided:
                # The text of a callable differs from that of `Session::Run` in the C++ server.
                text = f"Expects arg[{index}] to be {_type_name(expected)} but {_type_name(provided)} is provided"
                raise invalid_argument(text)
        feeds = tuple(signature.inputs[alias].name for alias in aliases)
        fetches = tuple(signature.outputs[alias].name for alias in outputs)
        try:
            run = self._callable(feeds, fetches)
            values = run(*(arrays[alias] for alias in aliases))
        except tf.errors.OpError as error:
            raise _runtime_error(error) from error
        # A scalar string is of type bytes, which NumPy would convert to a string of fixed width.
        return {
            alias: np.array(value, object) if isinstance(value, bytes) else np.asarray(value)
            for alias, value in zip(outputs, values, strict=True)
        }

    def warm_up(self) -> int:
        """Replays the recorded requests of the export, if it has any.

        Returns:
            Number of replayed requests.

        Raises:
            StatusError: If a request fails, or the file is not a TFRecord file of at most 1000 PredictionLogs.
        """
        path = self._path / WARMUP_FILE
        if not path.is_file():
            return 0
        count = 0
        try:
            for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
                count += 1
                if count > MAX_WARMUP_RECORDS:
                    text = f"Number of warmup records exceeds the maximum ({MAX_WARMUP_RECORDS}) at {path}"
                    raise invalid_argument(text)
                self._replay(protos.PredictionLog.FromString(record))
        except message.DecodeError as error:
            raise invalid_argument(f"Failed to parse warmup record: number {count} from {path}") from error
        except tf.errors.DataLossError as error:
            text = f"{error.message}. Please verify your warmup data is in TFRecord format."
            raise StatusError(grpc.StatusCode.DATA_LOSS, text) from error
        return count

    def close(self) -> None:
        """Frees variables and tables. No request may run at the same time or later."""
        self._callables.clear()
        self._session.close()

    def _replay(self, log: message.Message) -> None:
        kind = log.WhichOneof("log_type")
        if kind != "predict_log":
            raise StatusError(grpc.StatusCode.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")
        request = log.predict_log.request
        self.predict(request.model_spec.signature_name or DEFAULT_SIGNATURE, request.inputs, request.output_filter)

    def _signature(self, name: str) -> meta_graph_pb2.SignatureDef:
        if name not in self._signatures:
            text = f'Serving signature key "{name}" not found.'
            raise StatusError(grpc.StatusCode.FAILED_PRECONDITION, text)
        signature = self._signatures[name]
        if signature.method_name not in _METHODS:
            text = f"Expected prediction signature method_name to be one of {{{', '.join(_METHODS)}}}. Was: "
            raise StatusError(grpc.StatusCode.INTERNAL, text + signature.method_name)
        return signature

    def _callable(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> Callable[..., list[np.ndarray]]:
        run = self._callables.get((feeds, fetches))
        if run is None:
            with self._lock:
                options = config_pb2.CallableOptions(feed=feeds, fetch=fetches)
                options.run_options.inter_op_thread_pool = _CALLER_THREAD
                run = self._callables.setdefault((feeds, fetches), self._session._make_callable_from_options(options))
        return run


def _type_name(enum: int) -> str:
    return str(types_pb2.DataType.Name(enum)).removeprefix("DT_").lower()


def _runtime_error(error: tf.errors.OpError) -> StatusError:
    """Returns the error of the runtime, whose codes are those of gRPC."""
    return StatusError(_CODES.get(error.error_code, grpc.StatusCode.UNKNOWN), error.message)


def _decode_inputs(
    signature: meta_graph_pb2.SignatureDef, inputs: Mapping[str, message.Message]
) -> dict[str, np.ndarray]:
    sent, expected = sorted(inputs), sorted(signature.inputs)
    if len(sent) != len(expected):
        extra, missing = sorted(set(sent) - set(expected)), sorted(set(expected) - set(sent))
        raise invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(expected)} len({{{','.join(sent)}}}) != "
            f"len({{{','.join(expected)}}}). Sent extra: {{{','.join(extra)}}}. "
            f"Missing but required: {{{','.join(missing)}}}."
        )
    arrays = {}
    for alias in expected:
        if alias not in inputs:
            raise invalid_argument(
                f"Signature input alias: {alias}(feed name: {signature.inputs[alias].name}) not found in request and "
                f"no default value provided. Inputs expected to be in the request {{{','.join(sent)}}}, or default "
                "input alias set: "
            )
        try:
            arrays[alias] = tensors.decode(inputs[alias])
        except ValueError as error:
            raise invalid_argument(f"tensor parsing error: {alias}") from error
    return arrays


def _check_filter(signature: meta_graph_pb2.SignatureDef, output_filter: Iterable[str]) -> list[str]:
    outputs: list[str] = []
    for alias in output_filter:
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
                f"{{{','.join(sorted(signature.outputs))}}}."
            )
        if alias in outputs:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        outputs.append(alias)
    # Sorted, so that there is one callable for each set of outputs.
    return sorted(outputs or signature.outputs)
