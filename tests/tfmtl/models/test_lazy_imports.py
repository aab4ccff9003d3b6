"""Options and registry without TensorFlow, and saved models whose classes are imported when they are loaded."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[3]
SAVED = pathlib.Path(__file__).parent / "data" / "mmoe.keras"
HEAVY = ("keras", "tensorflow", "tfx", "apache_beam", "tensorflow_transform", "tensorflow_model_analysis", "pandas")
# TFT, imported by other tests, sets the variable that makes TensorFlow import tf_keras.
PLAIN = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}


def run(program, *arguments):
    """Runs a program in a new process and returns its output."""
    command = [sys.executable, "-W", "ignore", "-c", program, *map(str, arguments)]
    environment = {**PLAIN, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def heavy_modules_after(program):
    """Returns the heavy modules that a program imports."""
    loaded = run(f"{program}\nimport sys; print(*sys.modules)").split()
    assert "tfmtl" in loaded
    return set(HEAVY) & set(loaded)


@pytest.mark.parametrize(
    "program",
    [
        "import tfmtl.models; tfmtl.models.MMoEOptions(num_experts=4)",
        "from tfmtl.models import AdaFTROptions; AdaFTROptions(backbone='ple', backbone_options={'num_levels': 3})",
        "import tfmtl; dir(tfmtl.models); [tfmtl.models.MODELS.info(name) for name in tfmtl.models.MODELS]",
        "import tfmtl; dir(tfmtl.training); tfmtl.training.Stage(optimizer=tfmtl.training.FtrlOptions())",
        "from tfmtl.training import Distribution, MetaLearningOptions; Distribution('mirrored'), MetaLearningOptions()",
    ],
)
def test_options_import_no_heavy_module(program):
    assert heavy_modules_after(program) == set()


def test_a_class_imports_tensorflow():
    assert {"keras", "tensorflow"} <= heavy_modules_after("import tfmtl; tfmtl.models.MMoE")


@pytest.mark.parametrize(
    "imports",
    [
        "import tfmtl.models, keras",
        pytest.param("import keras, tfmtl.models", marks=pytest.mark.long),
        pytest.param("import tfmtl.models, tensorflow, keras", marks=pytest.mark.long),
        pytest.param("import tfmtl.models, tfmtl.layers, keras", marks=pytest.mark.long),
    ],
)
def test_saved_models_load_whatever_is_imported_first(imports):
    program = f"{imports}, sys; model = keras.saving.load_model(sys.argv[1]); print(model.optimizer.__class__.__name__)"
    assert run(program, SAVED) == "RowSparseAdam\n"


@pytest.mark.long
def test_other_saved_objects_load_without_the_import_of_their_classes(tmp_path):
    save = """
import keras, sys
from tfmtl.layers import Gate
from tfmtl.metrics import CalibrationRatio
from tfmtl.optimizers import RowSparseAdam
inputs = keras.Input((4,)), keras.Input((2, 3))
model = keras.Model(inputs, Gate()(*inputs))
model.compile(RowSparseAdam(), "mse", metrics=[CalibrationRatio()])
model.save(sys.argv[1])
"""
    path = tmp_path / "model.keras"
    run(save, path)
    load = "import tfmtl.models, keras, sys; print(*map(type, keras.saving.load_model(sys.argv[1]).layers))"
    assert run(load, path).endswith("<class 'tfmtl.layers.gate.Gate'>\n")


def test_keras_knows_every_class_before_and_after_its_import():
    program = """
import keras, tfmtl
from tfmtl.models import MODELS
from tfmtl.models.saved_classes import Placeholder
registered = keras.saving.get_custom_objects()
before = {name for name in registered if name.startswith("tfmtl>")}
assert all(isinstance(registered[name], Placeholder) for name in before)
list(MODELS.values())
tfmtl.metrics, tfmtl.layers, tfmtl.losses, tfmtl.optimizers
after = {name for name in registered if name.startswith("tfmtl>")}
assert len(before) > 50
assert before == after, before ^ after
assert not [name for name in after if isinstance(registered[name], Placeholder)]
"""
    run(program)


@pytest.mark.long
def test_a_failed_import_of_keras_can_be_repeated(tmp_path):
    """Placeholders are registered after the import that succeeds."""
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "__init__.py").write_text("raise ImportError('broken')")
    program = """
import sys
import tfmtl.models
sys.path.insert(0, sys.argv[1])
try:
    import keras
except ImportError as error:
    assert str(error) == "broken"
sys.path.remove(sys.argv[1])
import keras
print("tfmtl>MMoE" in keras.saving.get_custom_objects())
"""
    assert run(program, tmp_path) == "True\n"


@pytest.mark.long
def test_the_name_of_a_model_is_taken_before_its_class_is_imported():
    program = """
import sys
from tfmtl.models import MultiTaskModel, register_model
try:
    @register_model("mmoe")
    class Other(MultiTaskModel):
        pass
except ValueError as error:
    print(error)
assert "tfmtl.models.mmoe" not in sys.modules
"""
    assert run(program) == "`name` should not be the name of another model, MMoE. Received: 'mmoe'\n"


@pytest.mark.long
def test_a_model_that_is_first_imported_in_the_scope_of_a_strategy_predicts_on_one_device():
    program = """
import tensorflow as tf
import tfmtl
from tfmtl.features import CategoricalFeature
from tfmtl.spec import DatasetSpec, Task
spec = DatasetSpec("shop", (CategoricalFeature("user"),), (Task("click", "clicked"),))
strategy = tf.distribute.MirroredStrategy(["CPU:0"])
with strategy.scope():
    model = tfmtl.models.SharedBottom(spec, {"user": 10})
assert model.replica_strategy is strategy
assert model.distribute_strategy is tf.distribute.get_strategy()
assert tfmtl.training.Distribution().strategy() is tf.distribute.get_strategy()
"""
    run(program)
