"""Rules of the source that no linter knows."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ("tfmtl", "transforms", "pipelines", "serving", "benchmarks", "examples", "tests")


def keras_of_tensorflow(source: str) -> Iterator[int]:
    """Yield the lines where Keras is taken from TensorFlow.

    TensorFlow Transform sets TF_USE_LEGACY_KERAS, after which `tf.keras` is Keras 2 while `keras` remains Keras 3.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            names = [f"{node.value.id}.{node.attr}"] if isinstance(node.value, ast.Name) else []
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        if any(is_keras_of_tensorflow(name) for name in names):
            yield node.lineno


def is_keras_of_tensorflow(module: str) -> bool:
    """Say whether a dotted name is one of TensorFlow's copies of Keras or lies in it."""
    copies = ("tf.keras", "tensorflow.keras", "tensorflow.python.keras", "tensorflow.compat.v1.keras", "tf_keras")
    return any(module == copy or module.startswith(f"{copy}.") for copy in copies)


@pytest.mark.parametrize(
    "line",
    [
        "layer = tf.keras.layers.Dense(1)",
        "import tensorflow.keras as keras",
        "from tensorflow import keras",
        "from tensorflow.keras import layers",
        "from tensorflow.python.keras.engine import base_layer",
        "import tf_keras",
        "from tf_keras.layers import Dense",
    ],
)
def test_keras_of_tensorflow_is_noticed(line):
    assert list(keras_of_tensorflow(f"import tensorflow as tf\n{line}\n")) == [2]


@pytest.mark.parametrize("line", ["import keras", "from keras import layers", "'tf.keras'", "import tensorflow as tf"])
def test_keras_itself_is_fine(line):
    assert list(keras_of_tensorflow(line)) == []


def test_keras_is_never_taken_from_tensorflow():
    paths = [path for folder in SOURCES for path in (ROOT / folder).rglob("*.py")]
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in paths
        for line in keras_of_tensorflow(path.read_text(encoding="utf-8"))
    ]
    assert len(paths) > len(SOURCES)
    assert found == []
