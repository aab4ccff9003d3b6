"""Import of the optimizers on backends other than TensorFlow."""

import importlib
import sys

import keras
import pytest


def test_import_on_another_backend_raises_a_clear_error(monkeypatch):
    for name in list(sys.modules):
        if name.startswith("tfmtl.optimizers"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    message = r"^`tfmtl\.optimizers` should be used with the TensorFlow backend of Keras .* Received: jax$"
    with pytest.raises(RuntimeError, match=message):
        importlib.import_module("tfmtl.optimizers")
