"""Health of the mechanisms of a trained model: measured on the eval split, printed, and kept beside the history."""

import json
import os
from collections.abc import Sequence
from typing import Any

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


def measure_mechanisms(
    model: MultiTaskModel, inputs: InputPipeline, files: Sequence[str]
) -> tuple[tuple[Health, ...], tuple[Profile, ...]]:
    """Measures the health of a trained model as `measure_health` does, and what its mechanisms compute on these rows.

    Args:
        model: Trained model, with the weights that are exported.
        inputs: Input pipeline that reads the files.
        files: TFRecord files of the eval split.
    """
    rows = list(inputs.first_rows(files, ROWS))
    return model_health(model, rows), model_profile(model, rows)


def print_health(healths: Sequence[Health]) -> None:
    """Prints one line for each mechanism and a sentence for each dead one, below the lines of the epochs.

    Args:
        healths: Health of the model.
    """
    for line in health_lines(healths):
        print(f"    {line}")


def write_health(folder: str, healths: Sequence[Health], profiles: Sequence[Profile] = ()) -> None:
    """Writes the files `health.json` and `mechanisms.json`.

    Args:
        folder: Folder to write to.
        healths: Health of the model.
        profiles: Profiles of the model's mechanisms.
    """
    for name, measured in ((HEALTH, healths), (PROFILE, profiles)):
        with tf.io.gfile.GFile(os.path.join(folder, name), "w") as file:
            json.dump([one.to_plain() for one in measured], file, indent=1)


def read_health(folder: str) -> tuple[Health, ...]:
    """Reads the file `health.json`; nothing if the folder has none because older code trained the model.

    Args:
        folder: Folder `model_run` of a Trainer.
    """
    return tuple(map(Health.from_plain, _read(folder, HEALTH)))


def read_profile(folder: str) -> tuple[Profile, ...]:
    """Reads the file `mechanisms.json`; nothing if the folder has none because older code trained the model.

    Args:
        folder: Folder `model_run` of a Trainer.
    """
    return tuple(map(Profile.from_plain, _read(folder, PROFILE)))


def _read(folder: str, name: str) -> list[dict[str, Any]]:
    path = os.path.join(folder, name)
    if not tf.io.gfile.exists(path):
        return []
    with tf.io.gfile.GFile(path) as file:
        found: list[dict[str, Any]] = json.load(file)
    return found
