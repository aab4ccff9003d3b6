"""Loaded version of a SavedModel: a graph session, as in TensorFlow Serving, with its signatures as callables.

A session runs an export exactly as the C++ server does: it fails on the same exports, with the same texts. A callable
made from options is several times faster than `Session.run` or an eager signature. It runs on the thread of the
request, which saves the switch to a thread pool; at batch 1 that switch costs as much as a small model.
"""

import dataclasses
import pathlib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2, rewriter_config_pb2
from tensorflow.python.framework.ops import dismantle_graph  # It has no public name.

from serving.errors import StatusError, invalid_argument, not_found
from serving.requests.inputs import (
    Input,
    decode_inputs,
    match_inputs,
    match_outputs,
    validate_limits,
    validate_types,
)
from serving.requests.limits import Limits
from serving.requests.signature import Signature, signature_of

DEFAULT_SIGNATURE = "serving_default"

_CALLER_THREAD = -1
_MAX_CALLABLES = 64
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_METHODS = tuple(f"tensorflow/serving/{method}" for method in ("predict", "classify", "regress"))


@dataclasses.dataclass(frozen=True, slots=True)
class RunPlan:
    """Run of a graph.

    Attributes:
        feeds: Arrays by the name of the tensor that they replace.
        fetches: Names of the tensors to compute by the alias of the output.
    """

    feeds: dict[str, np.ndarray]
    fetches: dict[str, str]


class Servable:
    """Version of a model that answers requests from any number of threads until it is closed.

    Args:
        path: Folder of the SavedModel.

    Attributes:
        path: Folder of the SavedModel.

    Raises:
        StatusError: If it cannot be loaded.
    """

    def __init__(self, path: pathlib.Path):
        if not tf.saved_model.contains_saved_model(str(path)):
            raise not_found(f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}")
        self.path = path
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=_session_config())
        try:
            with self._session.graph.as_default():
                graph = tf.compat.v1.saved_model.load(self._session, [tf.saved_model.SERVING], str(path))
        except tf.errors.OpError as error:
            _free(self._session)
            raise _runtime_error(error) from error
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            _free(self._session)
            raise StatusError(grpc.StatusCode.DATA_LOSS, f"Can't load SavedModel {path}: {error}") from error
        self._signatures: dict[str, meta_graph_pb2.SignatureDef] = dict(graph.signature_def)
        self._plans = {name: signature_of(signature) for name, signature in self._signatures.items()}
        self._callables: dict[tuple[tuple[str, ...], tuple[str, ...]], Callable[..., list[np.ndarray]]] = {}
        self._lock = threading.Lock()

    @property
    def signatures(self) -> Mapping[str, meta_graph_pb2.SignatureDef]:
        """All signatures by name."""
        return self._signatures

    def predict(
        self,
        signature_name: str,
        inputs: Mapping[str, Input],
        output_filter: Iterable[str] = (),
        limits: Limits | None = None,
    ) -> dict[str, np.ndarray]:
        """Runs a signature.

        Args:
            signature_name: Name of the signature.
            inputs: Tensor of each of its inputs by alias.
            output_filter: Aliases of the outputs to compute; all of them if empty.
            limits: Limits of the inputs. Defaults to none.

        Returns:
            The outputs by alias.

        Raises:
            StatusError: If the request is invalid or fails, with the code and text of TensorFlow Serving.
        """
        return self.run_plan(self.plan(signature_name, inputs, output_filter, limits))

    def plan(
        self,
        signature_name: str,
        inputs: Mapping[str, Input],
        output_filter: Iterable[str] = (),
        limits: Limits | None = None,
    ) -> "RunPlan":
        """Validates and decodes the inputs of a signature.

        Args:
            signature_name: Name of the signature.
            inputs: Tensor of each of its inputs by alias.
            output_filter: Aliases of the outputs to compute; all of them if empty.
            limits: Limits of the inputs. Defaults to none.

        Returns:
            What to run. It does not refer to `inputs` if these are large.

        Raises:
            StatusError: If the request is invalid, with the code and text of TensorFlow Serving.
        """
        signature = self._signature(signature_name)
        tensors = match_inputs(signature, inputs)
        aliases = match_outputs(signature, output_filter)
        validate_types(signature, tensors)
        if limits is not None:
            validate_limits(signature, tensors, limits)
        arrays = decode_inputs(tensors)
        feeds = {signature.inputs[alias].name: array for alias, array in arrays.items()}
        return RunPlan(feeds, {alias: signature.outputs[alias] for alias in aliases})

    def run_plan(self, plan: "RunPlan") -> dict[str, np.ndarray]:
        """Returns the outputs of a signature by alias. Raises `StatusError` if the graph fails."""
        return dict(zip(plan.fetches, self.run(plan.feeds, list(plan.fetches.values())), strict=True))

    def run(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]) -> list[np.ndarray]:
        """Runs the graph.

        Args:
            feeds: Arrays by the name of the tensor that they replace.
            fetches: Names of the tensors to compute.

        Returns:
            The tensors as arrays, strings as objects of type bytes.

        Raises:
            StatusError: If the graph fails, with the code and text of the runtime.
        """
        names = sorted(feeds)
        try:
            values = self._callable(tuple(names), tuple(fetches))(*(feeds[name] for name in names))
        except tf.errors.OpError as error:
            raise _runtime_error(error) from error
        except UnicodeDecodeError as error:
            # The text quotes bytes of the request, such as those of a tf.Example, so that Python has no error for it.
            raise invalid_argument(error.object.decode(errors="backslashreplace")) from error
        # A scalar string is of type bytes, which NumPy would convert to a string of fixed width.
        return [np.array(value, object) if isinstance(value, bytes) else np.asarray(value) for value in values]

    def close(self) -> None:
        """Frees the graph, variables and tables. No request may run at the same time or later."""
        self._callables.clear()
        _free(self._session)

    def _signature(self, name: str) -> Signature:
        if name not in self._plans:
            text = f'Serving signature key "{name}" not found.'
            raise StatusError(grpc.StatusCode.FAILED_PRECONDITION, text)
        signature = self._plans[name]
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
                # Requests choose their outputs: the callables of unusual choices are not kept for ever.
                while len(self._callables) >= _MAX_CALLABLES:
                    del self._callables[next(iter(self._callables))]
                run = self._callables.setdefault((feeds, fetches), self._session._make_callable_from_options(options))
        return run


def _free(session: tf.compat.v1.Session) -> None:
    """Closes a session and frees its graph.

    The Python objects of a graph refer to each other, and keep the memory of the graph itself. A full garbage
    collection would free them too, but it examines all objects of the process, and no thread runs meanwhile: with
    TensorFlow imported, no request is answered for a quarter of a second on an idle machine.
    """
    graph = session.graph
    session.close()
    for name in graph.collections:  # Variables and loops of TensorFlow 1, which refer to the graph.
        graph.clear_collection(name)
    dismantle_graph(graph)


def _session_config() -> config_pb2.ConfigProto:
    """Returns a configuration that optimizes each graph once; a second pass takes a quarter more time to load."""
    config = config_pb2.ConfigProto()
    config.graph_options.rewrite_options.meta_optimizer_iterations = rewriter_config_pb2.RewriterConfig.ONE
    return config


def _runtime_error(error: tf.errors.OpError) -> StatusError:
    """Returns the error of the runtime, whose codes are those of gRPC."""
    return StatusError(_CODES.get(error.error_code, grpc.StatusCode.UNKNOWN), error.message)
