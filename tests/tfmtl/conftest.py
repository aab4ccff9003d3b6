"""What all tests of tfmtl rely on: a fixed seed before each, float32 after each."""

import keras
import pytest


@pytest.fixture(autouse=True)
def _fixed_seed():
    keras.utils.set_random_seed(7)
    yield
    keras.config.set_dtype_policy("float32")
