"""Check of an export: its graph, and its signatures in a graph session against the scores that it was exported with."""

import dataclasses
import pathlib

import numpy as np
import tensorflow as tf

from serving import protos, tensors
from serving.errors import StatusError
from serving.graph_check import GRAPH, graph_errors
from serving.replay import WARMUP_FILE
from serving.servable import DEFAULT_SIGNATURE, Servable

TOLERANCE = 1e-4
"""Largest difference of a score from the recorded one, relative to it."""
_SMALLEST = 1e-6


@dataclasses.dataclass(frozen=True)
class SignatureCheck:
    """Replay of the recorded requests of one signature.

    Attributes:
        signature: Name of the signature.
        requests: Number of recorded requests that were replayed.
        rows: Number of rows in them.
        compared: Number of scores that were compared with recorded ones.
        difference: Largest relative difference of a score from the recorded one; 0 if none was compared.
        error: Error of the first request that failed; empty if all succeeded.
    """

    signature: str
    requests: int = 0
    rows: int = 0
    compared: int = 0
    difference: float = 0.0
    error: str = ""


@dataclasses.dataclass(frozen=True)
class ExportCheck:
    """Result of the check of an export.

    Attributes:
        folder: Folder of the SavedModel.
        signatures: Replay of each signature, in the order of their names.
        errors: A sentence for each reason for which the export should not be served; empty if there is none.
    """

    folder: pathlib.Path
    signatures: tuple[SignatureCheck, ...]
    errors: tuple[str, ...]


def check_export(folder: str | pathlib.Path) -> ExportCheck:
    """Checks an export as a server would use it.

    The signatures run in a graph session, which fails on the same exports as TensorFlow Serving; the loader of Python
    does not. The requests and scores are those that the export recorded (`assets.extra/tf_serving_warmup_requests`).

    Args:
        folder: Folder of the SavedModel.

    Returns:
        The result. The graph is checked before it is loaded; if it has errors, no request is replayed.

    Raises:
        FileNotFoundError: If the folder has no SavedModel.

    Example:
    ```python
    errors = check_export("runs/ads/serving/ads/1795853324").errors
    ```
    """
    folder = pathlib.Path(folder)
    if not (folder / GRAPH).is_file():
        raise FileNotFoundError(f"{folder} should be the folder of a SavedModel. Received: no file {GRAPH} in it")
    errors = graph_errors(folder)
    if errors:
        return ExportCheck(folder, (), tuple(errors))
    try:
        servable = Servable(folder)
    except StatusError as error:
        return ExportCheck(folder, (), (f"the SavedModel cannot be loaded: {error}",))
    try:
        checks = {name: SignatureCheck(name) for name in sorted(servable.signatures) if not name.startswith("__")}
        for log in _recorded(folder):
            name = log.predict_log.request.model_spec.signature_name or DEFAULT_SIGNATURE
            checks[name] = _replay(servable, checks.get(name, SignatureCheck(name)), log)
    finally:
        servable.close()
    signatures = tuple(checks[name] for name in sorted(checks))
    return ExportCheck(folder, signatures, tuple(_signature_errors(signatures)))


def _recorded(folder: pathlib.Path) -> list[protos.PredictionLog]:
    path = folder / WARMUP_FILE
    if not path.is_file():
        return []
    logs = [protos.PredictionLog.FromString(one) for one in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()]
    return [log for log in logs if log.WhichOneof("log_type") == "predict_log"]


def _replay(servable: Servable, check: SignatureCheck, log: protos.PredictionLog) -> SignatureCheck:
    request, response = log.predict_log.request, log.predict_log.response
    try:
        outputs = servable.predict(check.signature, request.inputs, request.output_filter)
    except StatusError as failure:
        return dataclasses.replace(check, requests=check.requests + 1, error=check.error or str(failure))
    compared, difference, error = check.compared, check.difference, check.error
    for name, recorded in response.outputs.items():
        expected = tensors.decode(recorded)
        if name not in outputs or outputs[name].shape != expected.shape:
            shape = outputs[name].shape if name in outputs else "no such output"
            error = error or f"the output {name} should have the shape {expected.shape}. Received: {shape}"
        else:
            compared += expected.size
            difference = max(difference, _difference(outputs[name], expected))
    rows = len(next(iter(outputs.values()))) if outputs else 0
    return dataclasses.replace(
        check,
        requests=check.requests + 1,
        rows=check.rows + rows,
        compared=compared,
        difference=difference,
        error=error,
    )


def _difference(values: np.ndarray, expected: np.ndarray) -> float:
    """Returns the largest relative difference; 1 for texts that differ, infinity where one value is not finite."""
    if expected.dtype.kind not in "fiu":
        return float(not np.array_equal(values, expected))
    if not np.array_equal(np.isfinite(values), np.isfinite(expected)):
        return float("inf")
    finite = np.isfinite(expected)
    gaps = np.abs(values[finite] - expected[finite]) / np.maximum(np.abs(expected[finite]), _SMALLEST)
    return float(gaps.max(initial=0.0))


def _signature_errors(signatures: tuple[SignatureCheck, ...]) -> list[str]:
    errors = []
    for one in signatures:
        if one.error:
            errors.append(f"the signature {one.signature} fails on a recorded request: {one.error}")
        elif one.difference > TOLERANCE:
            text = f"differ from the recorded ones by up to {one.difference:.2g}, relative to them"
            errors.append(f"the scores of the signature {one.signature} {text} (tolerance {TOLERANCE:g})")
    return errors
