"""Health of the mechanisms of a trained model: measured on the eval split, printed, and kept beside the history."""

import json
import os
from collections.abc import Sequence

import tensorflow as tf

from pipelines.training.input_pipeline import InputPipeline
from tfmtl.health import Health, Profile, health_lines, model_health, model_profile
from tfmtl.health.evaluate import ROWS
from tfmtl.models import MultiTaskModel

HEALTH = "health.json"
"""Name of the file with the health of the model in a `model_run` folder."""
PROFILE = "mechanisms.json"
"""Name of the file with what the mechanisms of the model compute on average."""


def measure_health(model: MultiTaskModel, inputs: InputPipeline, files: Sequence[str]) -> tuple[Health, ...]:
    """Measures the health of a trained model on the first rows of files, in batches of the size of training.

    Args:
        model: Trained model, with the weights that are exported.
        inputs: Input pipeline that reads the files.
        files: TFRecord files of the eval split.
    """
    return model_health(model, inputs.first_rows(files, ROWS))


def measure_profile(model: MultiTaskModel, inputs: InputPipeline, files: Sequence[str]) -> tuple[Profile, ...]:
    """Measures what the mechanisms of a trained model compute on average, on the rows of `measure_health`.

    Args:
        model: Trained model, with the weights that are exported.
        inputs: Input pipeline that reads the files.
        files: TFRecord files of the eval split.
    """
    return model_profile(model, inputs.first_rows(files, ROWS))


def print_health(healths: Sequence[Health]) -> None:
    """Prints one line for each mechanism and a sentence for each dead one, below the lines of the epochs.

    Args:
        healths: Health of the model.
    """
    for line in health_lines(healths):
        print(f"    {line}")


def write_health(folder: str, healths: Sequence[Health]) -> None:
    """Writes the file `health.json`.

    Args:
        folder: Folder to write to.
        healths: Health of the model.
    """
    with tf.io.gfile.GFile(os.path.join(folder, HEALTH), "w") as file:
        json.dump([health.to_plain() for health in healths], file, indent=1)


def read_health(folder: str) -> tuple[Health, ...]:
    """Reads the file `health.json`; nothing if the folder has none because older code trained the model.

    Args:
        folder: Folder `model_run` of a Trainer.
    """
    path = os.path.join(folder, HEALTH)
    if not tf.io.gfile.exists(path):
        return ()
    with tf.io.gfile.GFile(path) as file:
        return tuple(Health.from_plain(plain) for plain in json.load(file))


def write_profile(folder: str, profiles: Sequence[Profile]) -> None:
    """Writes the file `mechanisms.json`.

    Args:
        folder: Folder to write to.
        profiles: Profiles of the model's mechanisms.
    """
    with tf.io.gfile.GFile(os.path.join(folder, PROFILE), "w") as file:
        json.dump([profile.to_plain() for profile in profiles], file)


def read_profile(folder: str) -> tuple[Profile, ...]:
    """Reads the file `mechanisms.json`; nothing if the folder has none because older code trained the model.

    Args:
        folder: Folder `model_run` of a Trainer.
    """
    path = os.path.join(folder, PROFILE)
    if not tf.io.gfile.exists(path):
        return ()
    with tf.io.gfile.GFile(path) as file:
        return tuple(Profile.from_plain(plain) for plain in json.load(file))
