"""Training on two devices gives the same model as on one."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.training_settings import TrainingSettings
from tfmtl import config

REPOSITORY = pathlib.Path(__file__).parents[3]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("distributed")
    command = [sys.executable, "-m", "tests.pipelines.training.distributed_trainer", str(folder)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def weights(folder: pathlib.Path) -> list[np.ndarray]:
    return keras.saving.load_model(folder / "run" / "model.keras").get_weights()


@pytest.mark.long
def test_two_devices_give_the_model_of_one(trained):
    one, two = (json.loads((trained / name / "run" / "history.json").read_text()) for name in ("one", "two"))
    assert set(one) == set(two)
    for name in set(one) - {"input_wait"}:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-4, err_msg=name)
    for found, expected in zip(weights(trained / "two"), weights(trained / "one"), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.long
def test_a_warm_start_sets_the_weights_of_all_devices(trained):
    for found, expected in zip(weights(trained / "again"), weights(trained / "two"), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.long
def test_the_export_does_not_refer_to_devices(trained):
    scores = []
    for name in ("one", "two"):
        loaded = tf.saved_model.load(str(trained / name / "model" / "Format-Serving"))
        shapes = {i.name: i for i in loaded.signatures["transformed"].structured_input_signature[1].values()}
        rows = {key: tf.zeros([3, *i.shape[1:]], i.dtype) for key, i in shapes.items()}
        scores.append(loaded.signatures["transformed"](**rows))
    for output, expected in scores[0].items():
        np.testing.assert_allclose(scores[1][output], expected, atol=1e-4)


def test_distribution_is_read_from_settings():
    document = config.Document({"distribution": {"kind": "mirrored", "devices": ["GPU:0", "GPU:1"]}})
    assert config.build(TrainingSettings, document).distribution.devices == ("GPU:0", "GPU:1")
    with pytest.raises(config.ConfigError, match=r"distribution\.kind"):
        config.build(TrainingSettings, config.Document({"distribution": {"kind": "everywhere"}}))
