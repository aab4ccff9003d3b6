"""Warm start of the Trainer: finds the model to start from and reports the weights that were copied."""

import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from pipelines.settings import KERAS_MODEL
from pipelines.training.kept_optimizer import KeptOptimizer
from pipelines.training.label_means import OPTION
from pipelines.training_settings import LATEST
from tfmtl.config import ConfigError
from tfmtl.models import MultiTaskModel
from tfmtl.training.vocabularies import Tokens, read_vocabularies
from tfmtl.training.warm_start import warm_start

_MODEL_RUN = "model_run"


def write_model_run_path(serving_model_dir: str, model_run_dir: str) -> None:
    """Writes the path of a Trainer's `model_run` next to its SavedModel.

    TFX passes only the SavedModel of the base model to a Trainer, and `model_run` is a separate artifact.

    Args:
        serving_model_dir: Folder of the SavedModel.
        model_run_dir: Folder of `model.keras` and `vocabularies/`.
    """
    with tf.io.gfile.GFile(os.path.join(os.path.dirname(serving_model_dir.rstrip("/")), _MODEL_RUN), "w") as file:
        file.write(model_run_dir)


def read_model_run_path(serving_model_dir: str) -> str:
    """Reads the path that `write_model_run_path` wrote; `model_run` itself may be there as well, as a folder.

    Args:
        serving_model_dir: Folder of the SavedModel.

    Raises:
        FileNotFoundError: If no path was written.
    """
    path = os.path.join(os.path.dirname(serving_model_dir.rstrip("/")), _MODEL_RUN)
    if not tf.io.gfile.exists(path):
        raise FileNotFoundError(f"{path} should exist, as the Trainer of the model writes it. Received: no such file")
    if tf.io.gfile.isdir(path):
        return path
    with tf.io.gfile.GFile(path) as file:
        return str(file.read())


def start_folder(setting: str | None, base_model: str | None) -> str | None:
    """Returns the `model_run` folder of the initial weights; None if training starts from random weights.

    Args:
        setting: The setting `training.warm_start`.
        base_model: SavedModel of the last blessed model if the setting is `latest`; None if there is none.
    """
    if setting == LATEST:
        return read_model_run_path(base_model) if base_model else None
    return setting


def with_saved_label_means(options: Mapping[str, Any], folder: str | None) -> dict[str, Any]:
    """Returns the options of a model with the `label_means` with which the weights that it starts from were trained.

    Args:
        options: Options of the model, as plain data.
        folder: `model_run` folder of the initial weights; None for random ones.
    """
    means = {} if folder is None else _saved_label_means(folder)
    return {**options, OPTION: means} if means else dict(options)


def _saved_label_means(folder: str) -> dict[str, float]:
    """Returns the option `label_means` of the model in a folder; empty if there is no such model."""
    path = os.path.join(folder, KERAS_MODEL)
    if not tf.io.gfile.exists(path):
        return {}
    try:
        # `zipfile` seeks from the end, which files of TensorFlow do not.
        source: Any = path if os.path.exists(path) else io.BytesIO(tf.io.gfile.GFile(path, "rb").read())
        with zipfile.ZipFile(source) as archive:
            config = json.loads(archive.read("config.json"))
        means: dict[str, float] = config["config"]["options"].get("label_means", {})
    except (zipfile.BadZipFile, KeyError, ValueError, AttributeError):
        return {}  # `start_from` reports what is wrong with the file.
    return means


def start_from(
    folder: str,
    model: MultiTaskModel,
    vocabularies: Tokens,
    write: Callable[[str], object] = print,
    optimizer: str | None = None,
) -> KeptOptimizer | None:
    """Copies the weights of the model in a `model_run` folder, and reports the changes of each vocabulary.

    Args:
        folder: Folder of `model.keras` and `vocabularies/`.
        model: Model to copy the weights to.
        vocabularies: Tokens of the model's vocabularies by feature.
        write: Function to call with each line of the report.
        optimizer: Name of the class of the optimizer that continues that of the model in the folder; None if the
            training begins with a new optimizer.

    Returns:
        The optimizer to continue; None if there is none of that class.

    Raises:
        FileNotFoundError: If the folder holds no model with its vocabularies.
        ConfigError: If the model cannot be loaded, or its weights do not fit (`tfmtl.training.warm_start`).
    """
    path = os.path.join(folder, KERAS_MODEL)
    if not tf.io.gfile.exists(path):
        raise FileNotFoundError(f"training.warm_start should be a folder with a {KERAS_MODEL}. Received: {folder!r}")
    previous_vocabularies = read_vocabularies(folder)
    try:
        previous = keras.saving.load_model(path, compile=optimizer is not None)
        report = warm_start(model, vocabularies, previous, previous_vocabularies)
    except (ValueError, OSError) as error:
        advice = "Start from a model of the same spec and options, or remove training.warm_start."
        raise ConfigError(f"training.warm_start: {path} does not fit the settings. {error} {advice}") from error
    write(f"    warm start from {folder}")
    for name, rows in report.fields.items():
        if name in vocabularies or name in previous_vocabularies:
            write(f"      {name:<20} {rows.kept:>10,} kept {rows.new:>10,} new {rows.removed:>10,} removed")
    if optimizer is None:
        return None
    found = type(getattr(previous, "optimizer", None)).__name__
    if found != optimizer:
        write(f"      new optimizer: to continue, that of the model should be {optimizer}. Received: {found}")
        return None
    return KeptOptimizer(previous, previous_vocabularies)


def fingerprint(setting: str | None) -> str:
    """Returns a string that changes if the model in the folder changes, as a parameter for TFX's cache.

    Args:
        setting: The setting `training.warm_start`.

    Returns:
        Size and modification time of the model; an empty string if the setting is not a folder with a model.
    """
    path = os.path.join(setting, KERAS_MODEL) if setting and setting != LATEST else ""
    if not path or not tf.io.gfile.exists(path):
        return ""
    stat = tf.io.gfile.stat(path)
    return f"{stat.length}-{stat.mtime_nsec}"
