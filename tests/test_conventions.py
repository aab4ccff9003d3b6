"""Rules of the source that no linter knows."""

import ast
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ("tfmtl", "transforms", "pipelines", "serving", "benchmarks", "examples", "tests")


def keras_of_tensorflow(source: str) -> Iterator[int]:
    """Yields the lines where Keras is taken from TensorFlow.

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
    """Returns whether a dotted name is one of TensorFlow's copies of Keras or lies in it."""
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


CLAUSES = {"What", "Of", "How", "Which", "Where", "Whether", "Why", "When", "Who", "Whose"}


def clauses(source: str) -> Iterator[str]:
    """Yields the first line of each docstring that begins with a clause instead of a noun phrase or a verb."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(ast.parse(source)):
        docstring = ast.get_docstring(node) if isinstance(node, kinds) else None
        if docstring and docstring.split()[0].strip("*,.:;") in CLAUSES:
            yield docstring.splitlines()[0]


def test_clause_is_noticed():
    source = 'def f():\n    """Of the rows."""\n\n\nclass C:\n    """A class."""\n'
    assert list(clauses(source)) == ["Of the rows."]


def test_docstrings_begin_with_a_noun_phrase_or_a_verb():
    paths = [path for folder in (*SOURCES, "requirements") for path in (ROOT / folder).rglob("*.py")]
    found = [
        f"{path.relative_to(ROOT)}: {line}" for path in paths for line in clauses(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def import_cycles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Returns the groups of modules that import one another, directly or not (strongly connected components)."""
    reached = {}
    for module in imports:
        found: set[str] = set()
        left = [module]
        while left:
            new = imports.get(left.pop(), set()) - found
            found |= new
            left += new
        reached[module] = found
    groups = {frozenset(other for other in found if module in reached[other]) for module, found in reached.items()}
    return sorted(sorted(group) for group in groups if group)


def test_import_cycle_is_noticed():
    assert import_cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert import_cycles({"a": {"b"}, "b": set()}) == []


def test_no_module_imports_itself_through_others():
    """Imports in functions count too."""
    graph = grimp.build_graph("tfmtl", "transforms", "pipelines", "serving", exclude_type_checking_imports=True)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imports) > 200
    assert import_cycles(imports) == []
