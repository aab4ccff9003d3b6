"""Recorded requests of an export, and the comparison of scores with the recorded ones."""

import dataclasses
import pathlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from serving import protos, tensors
from serving.replay import WARMUP_FILE
from serving.servable import DEFAULT_SIGNATURE

TOLERANCE = 1e-4
"""Largest difference of a score from the recorded one, relative to it."""
_SMALLEST = 1e-6


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Comparison of the outputs of a request with the recorded ones.

    Attributes:
        compared: Number of scores that were compared.
        difference: Largest relative difference of a score from the recorded one; 0 if none was compared.
        error: Sentence about the first output that is missing or has another shape; empty if there is none.
    """

    compared: int = 0
    difference: float = 0.0
    error: str = ""


def recorded_requests(folder: pathlib.Path) -> list[protos.PredictionLog]:
    """Returns the Predict requests that an export recorded with their scores; none if it has none.

    Args:
        folder: Folder of the SavedModel.
    """
    path = folder / WARMUP_FILE
    if not path.is_file():
        return []
    logs = [protos.PredictionLog.FromString(one) for one in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()]
    return [log for log in logs if log.WhichOneof("log_type") == "predict_log"]


def signature_of(log: protos.PredictionLog) -> str:
    """Returns the name of the signature that a recorded request calls.

    Args:
        log: Recorded Predict request.
    """
    return log.predict_log.request.model_spec.signature_name or DEFAULT_SIGNATURE


def compare(outputs: Mapping[str, np.ndarray], response: protos.PredictResponse) -> Comparison:
    """Compares outputs with the recorded ones.

    Args:
        outputs: Outputs by name.
        response: Recorded response.
    """
    compared, difference, error = 0, 0.0, ""
    for name, recorded in response.outputs.items():
        expected = tensors.decode(recorded)
        if name not in outputs or outputs[name].shape != expected.shape:
            shape = outputs[name].shape if name in outputs else "no such output"
            error = error or f"the output {name} should have the shape {expected.shape}. Received: {shape}"
        else:
            compared += expected.size
            difference = max(difference, _difference(outputs[name], expected))
    return Comparison(compared, difference, error)


def _difference(values: np.ndarray, expected: np.ndarray) -> float:
    """Returns the largest relative difference; 1 for texts that differ, infinity where one value is not finite."""
    if expected.dtype.kind not in "fiu":
        return float(not np.array_equal(values, expected))
    if not np.array_equal(np.isfinite(values), np.isfinite(expected)):
        return float("inf")
    finite = np.isfinite(expected)
    gaps = np.abs(values[finite] - expected[finite]) / np.maximum(np.abs(expected[finite]), _SMALLEST)
    return float(gaps.max(initial=0.0))
