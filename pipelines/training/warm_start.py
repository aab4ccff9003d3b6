"""Warm starts in the pipeline: from which model, and what is said of it."""

import os
from collections.abc import Callable

import keras
import tensorflow as tf

from tfmtl.models import MultiTaskModel
from tfmtl.training.vocabularies import Tokens, read_vocabularies
from tfmtl.training.warm_start import warm_start

LATEST = "latest"
KERAS_MODEL = "model.keras"
_MODEL_RUN = "model_run"


def remember_model_run(serving_model_dir: str, model_run_dir: str) -> None:
    """Writes beside a SavedModel where its `model.keras` is.

    TFX hands a Trainer the base model's SavedModel; the folder of its run is another artifact.
    """
    with tf.io.gfile.GFile(os.path.join(os.path.dirname(serving_model_dir.rstrip("/")), _MODEL_RUN), "w") as file:
        file.write(model_run_dir)


def model_run_of(serving_model_dir: str) -> str:
    """What `remember_model_run` wrote.

    Raises:
        FileNotFoundError: if it wrote nothing there.
    """
    path = os.path.join(os.path.dirname(serving_model_dir.rstrip("/")), _MODEL_RUN)
    if not tf.io.gfile.exists(path):
        raise FileNotFoundError(f"{path} should be there, written by the Trainer that made the model. Received: none")
    with tf.io.gfile.GFile(path) as file:
        return str(file.read())


def start_folder(setting: str | None, base_model: str | None) -> str | None:
    """The model run folder from which training starts; None where it starts fresh.

    Args:
        setting: `training.warm_start`.
        base_model: where it is `latest`, the last blessed model's SavedModel, if there is one.
    """
    if setting == LATEST:
        return model_run_of(base_model) if base_model else None
    return setting


def start_from(
    folder: str, model: MultiTaskModel, vocabularies: Tokens, write: Callable[[str], object] = print
) -> None:
    """Copies the weights of the model in a run's folder, and says what became of each vocabulary.

    Raises:
        FileNotFoundError: if the folder holds no model with its vocabularies.
        ValueError: if its weights do not fit (`tfmtl.training.warm_start`).
    """
    path = os.path.join(folder, KERAS_MODEL)
    if not tf.io.gfile.exists(path):
        raise FileNotFoundError(f"training.warm_start should be a folder with a {KERAS_MODEL}. Received: {folder!r}")
    before = read_vocabularies(folder)
    report = warm_start(model, vocabularies, keras.saving.load_model(path, compile=False), before)
    write(f"    warm start from {folder}")
    for name, rows in report.fields.items():
        if name in vocabularies or name in before:
            write(f"      {name:<20} {rows.kept:>10,} kept {rows.new:>10,} new {rows.gone:>10,} gone")


def fingerprint(setting: str | None) -> str:
    """Tells the models apart that are in a folder at different times, for TFX's cache; "" where none is seen."""
    path = os.path.join(setting, KERAS_MODEL) if setting and setting != LATEST else ""
    if not path or not tf.io.gfile.exists(path):
        return ""
    stat = tf.io.gfile.stat(path)
    return f"{stat.length}-{stat.mtime_nsec}"
