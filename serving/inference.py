"""Classify, Regress and MultiInference of TensorFlow Serving: signatures whose only input are serialized tf.Examples.

A signature of the method `tensorflow/serving/classify` has the input `inputs` and the outputs `classes`, `scores` or
both, of shape `(batch, classes)`; one of `tensorflow/serving/regress` the input `inputs` and the output `outputs`, of
shape `(batch,)` or `(batch, 1)`. The checks, their order and their texts are those of `classifier.cc`, `regressor.cc`
and `multi_inference.cc`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import numpy as np
from tensorflow.core.framework import types_pb2

from serving.errors import StatusError, invalid_argument
from serving.requests.inputs import expect_type, validate_rows
from serving.requests.limits import Limits
from serving.servable import DEFAULT_SIGNATURE, Servable

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"

_INPUTS, _CLASSES, _SCORES, _OUTPUTS = "inputs", "classes", "scores", "outputs"
_NAMES = {CLASSIFY: "classification", REGRESS: "regression"}


def infer(
    servable: Servable, method: str, signature_name: str, examples: Sequence[bytes], result: Any, limits: Limits
) -> None:
    """Runs a signature of one method on examples.

    Args:
        servable: Version of the model.
        method: `CLASSIFY` or `REGRESS`.
        signature_name: Name of the signature; `serving_default` if empty.
        examples: Serialized tf.Examples.
        result: `ClassificationResult` or `RegressionResult` to fill.
        limits: Limits of the number of examples.

    Raises:
        StatusError: If the request is invalid or fails, with the code and text of TensorFlow Serving.
    """
    name = signature_name or DEFAULT_SIGNATURE
    if name not in servable.signatures:
        raise invalid_argument(f"No signature was found with the name: {name}")
    signature = servable.signatures[name]
    fetches = _fetches(signature, method)
    outputs = _run(servable, signature, fetches, examples, limits)
    _FILL[method](signature, outputs, len(examples), result)


def infer_all(
    servable: Servable, tasks: Sequence[Any], examples: Sequence[bytes], response: Any, limits: Limits
) -> None:
    """Runs the signatures of several tasks on the same examples, in one run of the graph.

    Args:
        servable: Version of the model.
        tasks: `InferenceTask`s.
        examples: Serialized tf.Examples.
        response: `MultiInferenceResponse`, to which a result is added for each task, without the version.
        limits: Limits of the number of examples.

    Raises:
        StatusError: If the request is invalid or fails, with the code and text of TensorFlow Serving.
    """
    signatures: dict[str, Any] = {}
    fetches: set[str] = set()
    for task in tasks:
        spec = task.model_spec
        if not spec.name:
            raise invalid_argument("Found ModelSpec with an empty model name.")
        if spec.name != tasks[0].model_spec.name:
            raise invalid_argument("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
        name = spec.signature_name or DEFAULT_SIGNATURE
        if name in signatures:
            raise invalid_argument(f"Duplicate evaluation of signature: {name}")
        if name not in servable.signatures:
            raise invalid_argument(f"Requested signature not found in model graph: {name}")
        if task.method_name not in _NAMES:
            text = f"Unsupported signature method_name: {task.method_name}"
            raise StatusError(grpc.StatusCode.UNIMPLEMENTED, text)
        signatures[name] = servable.signatures[name]
        fetches.update(_fetches(signatures[name], task.method_name))
        first = next(iter(signatures.values()))
        if signatures[name].inputs[_INPUTS].name != first.inputs[_INPUTS].name:
            raise invalid_argument("Input tensor must be the same for all Signatures.")
    outputs = _run(servable, next(iter(signatures.values())), sorted(fetches), examples, limits)
    for task, (name, signature) in zip(tasks, signatures.items(), strict=True):
        entry = response.results.add()
        entry.model_spec.name, entry.model_spec.signature_name = task.model_spec.name, name
        result = entry.classification_result if task.method_name == CLASSIFY else entry.regression_result
        result.SetInParent()
        _FILL[task.method_name](signature, outputs, len(examples), result)


def _fetches(signature: Any, method: str) -> list[str]:
    """Returns the names of the tensors of the outputs. Raises `StatusError` if the signature is not of the method."""
    what = _NAMES[method]
    if signature.method_name != method:
        text = f"Expected {what} signature method_name to be {method}. Was: {signature.method_name}"
        raise invalid_argument(text)
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if method == REGRESS and len(signature.outputs) != 1:
        raise invalid_argument("Expected one output Tensor.")
    if method == CLASSIFY and len(signature.outputs) not in (1, 2):
        raise invalid_argument(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if _INPUTS not in signature.inputs:
        raise _failed_precondition(f"No {what} inputs found in SignatureDef: {signature}")
    names = (_CLASSES, _SCORES) if method == CLASSIFY else (_OUTPUTS,)
    found = [signature.outputs[name].name for name in names if name in signature.outputs]
    if not found and method == REGRESS:
        raise _failed_precondition(f"No regression outputs found in SignatureDef: {signature}")
    if not found:
        raise _failed_precondition(
            'Expected classification signature outputs to contain at least one of "classes" or "scores". Signature '
            f"was: {signature}"
        )
    return found


def _run(
    servable: Servable, signature: Any, fetches: Sequence[str], examples: Sequence[bytes], limits: Limits
) -> Mapping[str, np.ndarray]:
    """Returns the outputs by the names of their tensors."""
    if not examples:
        raise invalid_argument("Input is empty.")
    validate_rows(len(examples), limits)
    expect_type(0, signature.inputs[_INPUTS].dtype, types_pb2.DT_STRING)
    batch = np.empty(len(examples), object)
    batch[:] = examples
    outputs = servable.run({signature.inputs[_INPUTS].name: batch}, fetches)
    return dict(zip(fetches, outputs, strict=True))


def _fill_classifications(signature: Any, outputs: Mapping[str, np.ndarray], size: int, result: Any) -> None:
    found = {}
    for name, kind, expected in ((_CLASSES, "O", "DT_STRING"), (_SCORES, "f", "DT_FLOAT")):
        if name not in signature.outputs:
            continue
        info = signature.outputs[name]
        array = found[name] = outputs[info.name]
        if array.ndim != 2:
            shape = _shape_text(array)
            raise invalid_argument(f"Expected Tensor shape: [batch_size num_classes] but got {shape}")
        if types_pb2.DataType.Name(info.dtype) != expected or array.dtype.kind != kind:
            received = types_pb2.DataType.Name(info.dtype)
            raise invalid_argument(f"Expected {name} Tensor of {expected}. Got: {received}")
        if len(array) != size:
            raise invalid_argument(f"Expected {name} output batch size of {size}. Got: {len(array)}")
    widths = [array.shape[1] for array in found.values()]
    if widths[0] != widths[-1]:
        text = f"Tensors class and score should match in dim_size(1). Got {widths[0]} vs. {widths[-1]}"
        raise invalid_argument(text)
    labels = found[_CLASSES].tolist() if _CLASSES in found else None
    scores = found[_SCORES].tolist() if _SCORES in found else None
    for row in range(size):
        classes = result.classifications.add().classes
        for column in range(widths[0]):
            entry = classes.add()
            if labels is not None:
                entry.label = labels[row][column].decode(errors="backslashreplace")
            if scores is not None:
                entry.score = scores[row][column]


def _fill_regressions(signature: Any, outputs: Mapping[str, np.ndarray], size: int, result: Any) -> None:
    info = signature.outputs[_OUTPUTS]
    array = outputs[info.name]
    if array.ndim != 1 and not (array.ndim == 2 and array.shape[1] == 1):
        raise invalid_argument(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got " + _shape_text(array)
        )
    if len(array) != size:
        raise invalid_argument(f"Input batch size did not match output batch size: {size} vs. {len(array)}")
    if info.dtype != types_pb2.DT_FLOAT:
        received = types_pb2.DataType.Name(info.dtype)
        raise invalid_argument(f"Expected output Tensor of DT_FLOAT.  Got: {received}")
    for value in array.ravel().tolist():
        result.regressions.add().value = value


_FILL = {CLASSIFY: _fill_classifications, REGRESS: _fill_regressions}


def _failed_precondition(details: str) -> StatusError:
    return StatusError(grpc.StatusCode.FAILED_PRECONDITION, details)


def _shape_text(array: np.ndarray) -> str:
    return f"[{','.join(map(str, array.shape))}]"
