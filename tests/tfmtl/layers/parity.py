"""Equal outputs and gradients on TensorFlow and other backends.

On TensorFlow `TFMTL_PARITY_RECORD=folder` writes, for each test of a layer, a model file, the inputs, the outputs and
the gradients to the folder. On another backend `TFMTL_PARITY_COMPARE=folder` loads them and compares.
"""

import collections
import os
import pathlib
import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tests.tfmtl.backends import to_numpy, weight_gradients

TOLERANCE = 1e-5
_calls: collections.Counter[str] = collections.Counter()


def check_parity(model: keras.Model, inputs: tuple, loss: Callable[[Any], Any]) -> None:
    """Records a model of a layer, or compares a recorded one; does nothing without one of the two variables.

    Args:
        model: Model around the layer, called with the tuple of the layer's arguments.
        inputs: Arguments of the layer, NumPy arrays, or dicts and lists of them.
        loss: Scalar loss of the layer's outputs.
    """
    if folder := os.environ.get("TFMTL_PARITY_RECORD"):
        path = pathlib.Path(folder) / _case_name()
        path.parent.mkdir(parents=True, exist_ok=True)
        _record(path, model, inputs, loss)
    elif folder := os.environ.get("TFMTL_PARITY_COMPARE"):
        path = pathlib.Path(folder) / _case_name()
        assert path.with_suffix(".npz").exists(), f"TFMTL_PARITY_RECORD should have written {path}.npz on TensorFlow"
        _compare(path, inputs, loss)


def _case_name() -> str:
    """Returns the id of the running test as a file name; a test may check several layers."""
    test = os.environ["PYTEST_CURRENT_TEST"].rsplit(" ", 1)[0]
    _calls[test] += 1
    return f"{re.sub(r'[^A-Za-z0-9]+', '-', test)}-{_calls[test]}"


def _record(path: pathlib.Path, model: keras.Model, inputs: tuple, loss: Callable[[Any], Any]) -> None:
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    model.save(path.with_suffix(".keras"))
    arrays = {f"input-{i}": array for i, array in enumerate(keras.tree.flatten(inputs))}
    np.savez(path.with_suffix(".npz"), **arrays, **_results(model, inputs, loss))


def _compare(path: pathlib.Path, inputs: tuple, loss: Callable[[Any], Any]) -> None:
    model = keras.saving.load_model(path.with_suffix(".keras"))
    with np.load(path.with_suffix(".npz")) as recorded:
        arrays = [recorded[f"input-{i}"] for i in range(len(keras.tree.flatten(inputs)))]
        results = _results(model, keras.tree.pack_sequence_as(inputs, arrays), loss)
        assert {name for name in recorded.files if not name.startswith("input")} == set(results)
        for name, values in results.items():
            np.testing.assert_allclose(values, recorded[name], rtol=TOLERANCE, atol=TOLERANCE, err_msg=name)


def _results(model: keras.Model, inputs: tuple, loss: Callable[[Any], Any]) -> dict[str, np.ndarray]:
    outputs = keras.tree.flatten(model(inputs))
    gradients = weight_gradients(lambda: loss(model(inputs)), model.trainable_weights)
    return {
        **{f"output-{i}": to_numpy(output) for i, output in enumerate(outputs)},
        **{f"gradient-{i}": to_numpy(gradient) for i, gradient in enumerate(gradients)},
    }
