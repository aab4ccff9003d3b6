"""Fixtures of all tests of tfmtl: a fixed random seed before each test, the float32 policy after it."""

import keras
import pytest


@pytest.fixture(autouse=True)
def _fixed_seed():
    keras.utils.set_random_seed(7)
    yield
    keras.config.set_dtype_policy("float32")
