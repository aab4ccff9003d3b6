"""Names that `import tfmtl` gives, and the modules that it imports."""

import os
import pathlib
import subprocess
import sys

import pytest

import tfmtl

ROOT = pathlib.Path(__file__).parents[2]
SUBPACKAGES = ("health", "introspection", "layers", "losses", "metrics", "models", "ops", "optimizers", "training")


def run(program):
    """Runs a program in a new process and returns the completed process."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)


def imported_by(statement):
    """Returns the names of the top-level modules in `sys.modules` after a statement in a new process."""
    done = run(f"{statement}; import sys; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_import_of_tfmtl_imports_neither_keras_nor_tensorflow():
    modules = imported_by("import tfmtl; tfmtl.DatasetSpec; dir(tfmtl)")
    assert "tfmtl" in modules
    assert not {"keras", "tensorflow", "numpy"} & modules


def test_modules_of_specs_and_helpers_import_neither_keras_nor_tensorflow():
    about_specs = ["config", "features", "model_inputs", "spec", "splits", "task_names"]
    others = ["alignment", "introspection", "types"]
    modules = imported_by("import " + ", ".join(f"tfmtl.{name}" for name in about_specs + others))
    assert not {"keras", "tensorflow"} & modules


def test_subpackages_are_attributes_of_tfmtl():
    done = run(f"import tfmtl; print(*(getattr(tfmtl, name).__name__ for name in {SUBPACKAGES}))")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [f"tfmtl.{name}" for name in SUBPACKAGES]


def test_dir_lists_all_public_names():
    assert set(tfmtl.__all__) == {"DatasetSpec", *SUBPACKAGES}
    assert set(dir(tfmtl)) >= {*tfmtl.__all__, "__version__"}
    assert tfmtl.DatasetSpec is tfmtl.spec.DatasetSpec


def test_unknown_attribute_raises_attribute_error():
    with pytest.raises(AttributeError, match="module 'tfmtl' has no attribute 'layer'"):
        tfmtl.layer  # noqa: B018


@pytest.mark.parametrize("name", ["models.MMoE", "models.RowWeights", "training.TwoStage"])
def test_class_on_another_backend_raises_a_clear_error(name):
    done = run(f"import keras, tfmtl; keras.backend.backend = lambda: 'jax'; tfmtl.{name}")
    package = f"`tfmtl.{name.partition('.')[0]}`"
    message = f"{package} should be used with the TensorFlow backend of Keras (KERAS_BACKEND=tensorflow)."
    assert done.stderr.splitlines()[-1] == f"RuntimeError: {message} Received: jax"


def test_version():
    assert tfmtl.__version__ == "0.1.0"
