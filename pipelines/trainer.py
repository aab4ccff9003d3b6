"""What Trainer imports: `run_fn` trains the model of the settings and exports it."""

import functools
import json
import math
import os
import warnings
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from pipelines.input import InputPath
from pipelines.settings import ModelSettings, TrainingSettings
from serving.export import export
from tfmtl import config
from tfmtl.fields import vocabularies
from tfmtl.models import MultiTaskModel, model_class
from tfmtl.optimizers import RowSparseAdam
from tfmtl.spec import DatasetSpec
from tfmtl.training import EpochLines, Stage, TwoStage, fit_stage

HISTORY = "history.json"
KERAS_MODEL = "model.keras"
_WARMUP_ROWS = 256


def run_fn(fn_args: Any) -> None:
    """Trains until early stopping, keeps the best epoch, writes `model.keras` and the SavedModel.

    `fn_args.custom_config` holds plain data: `spec`, `model`, `training` and `name`, as in the settings.
    """
    spec, model_settings, training, name = _from_config(fn_args.custom_config)
    keras.utils.set_random_seed(training.seed)
    transformed = tft.TFTransformOutput(fn_args.transform_output)
    transform = transformed.transform_features_layer()
    inputs = InputPath(spec, transform, training.batch_size, training.shuffle_rows, training.seed)
    files = {"train": tf.io.gfile.glob(fn_args.train_files), "eval": tf.io.gfile.glob(fn_args.eval_files)}

    model = model_class(model_settings.name).from_spec(
        spec, vocabulary_sizes(spec, transformed), **model_settings.options
    )
    history = fit(model, inputs, files, training)

    tf.io.gfile.makedirs(fn_args.model_run_dir)
    model.save(os.path.join(fn_args.model_run_dir, KERAS_MODEL))
    with tf.io.gfile.GFile(os.path.join(fn_args.model_run_dir, HISTORY), "w") as file:
        json.dump(history, file, indent=1)
    rows = tf.data.TFRecordDataset(files["eval"], compression_type="GZIP").take(_WARMUP_ROWS)
    warmup = list(rows.as_numpy_iterator())
    export(model, transform, fn_args.serving_model_dir, warmup_examples=warmup, model_name=name)


def fit(
    model: MultiTaskModel, inputs: InputPath, files: Mapping[str, list[str]], training: TrainingSettings
) -> dict[str, Any]:
    """Trains a model; the weights are the best epoch's afterwards.

    Returns:
        The metrics of each epoch; where the settings have a second stage, by stage.
    """
    stages: dict[str, Any] = {
        "make_optimizer": functools.partial(make_optimizer, training, files["train"]),
        "callbacks": [keras.callbacks.TerminateOnNaN(), EpochLines()],
        "shuffle": False,
        "verbose": 0,
    }
    train, validation = inputs.training(files["train"]), inputs.evaluation(files["eval"])
    with warnings.catch_warnings():
        # Said at the end of every epoch whose number of batches is not known beforehand.
        warnings.filterwarnings("ignore", message="Your input ran out of data")
        if training.fine_tuning is None:
            return fit_stage(model, training, train, validation, **stages)
        return TwoStage(training, training.fine_tuning).fit(model, train, validation, **stages)


def make_optimizer(training: TrainingSettings, files: list[str], stage: Stage) -> RowSparseAdam:
    """Adam for a stage; the schedule is the first stage's."""
    rate: Any = stage.learning_rate
    if stage is training and training.schedule == "cosine":
        blocks = tf.data.TFRecordDataset(files, compression_type="GZIP").batch(65536)
        rows = int(blocks.reduce(tf.constant(0, tf.int64), lambda count, block: count + tf.size(block, tf.int64)))
        steps = stage.max_epochs * math.ceil(rows / training.batch_size)
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    return RowSparseAdam(rate, epsilon=stage.epsilon, beta_2=training.beta_2, clipvalue=training.clip_value)


def vocabulary_sizes(spec: DatasetSpec, transformed: tft.TFTransformOutput) -> dict[str, int]:
    """Tokens in the vocabulary of each feature that has one."""
    return {name: transformed.vocabulary_size_by_name(name) for name in vocabularies(spec)}


def _from_config(custom: Mapping[str, Any]) -> tuple[DatasetSpec, Any, Any, str]:
    document = config.Document(dict(custom))
    return (
        config.build(DatasetSpec, document, ("spec",)),
        config.build(ModelSettings, document, ("model",)),
        config.build(TrainingSettings, document, ("training",)),
        custom["name"],
    )
