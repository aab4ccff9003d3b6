"""Fixtures of all tests of tfmtl: a fixed random seed before each test, the float32 policy after it.

Tests of what all models have in common run for one model of each kind; for its variants they are long tests.
"""

import pathlib

import keras
import pytest

from tests.tfmtl.variants import VARIANTS

OF_THEIR_NETWORK = ("test_baseline_values.py", "test_baselines.py", "test_escm2.py")
_FOLDER = pathlib.Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if _FOLDER in item.path.parents and item.path.name not in OF_THEIR_NETWORK:
            parameters = item.callspec.params if hasattr(item, "callspec") else {}
            if parameters.get("name") in VARIANTS:
                item.add_marker(pytest.mark.long)


@pytest.fixture(autouse=True)
def _fixed_seed():
    keras.utils.set_random_seed(7)
    yield
    keras.config.set_dtype_policy("float32")
