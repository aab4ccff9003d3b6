"""What Trainer imports: `run_fn` trains the model of the settings and exports it."""

import json
import os
import warnings
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from pipelines import settings as settings_module
from pipelines.input import InputPath
from serving.export import export
from tfmtl import config
from tfmtl.models import MultiTaskModel, model_class
from tfmtl.optimizers import RowSparseAdam
from tfmtl.spec import DatasetSpec, NumericalFeature
from tfmtl.training import EpochLines

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
    model.compile(RowSparseAdam(training.learning_rate))
    history = fit(model, inputs, files, training)

    tf.io.gfile.makedirs(fn_args.model_run_dir)
    model.save(os.path.join(fn_args.model_run_dir, KERAS_MODEL))
    with tf.io.gfile.GFile(os.path.join(fn_args.model_run_dir, HISTORY), "w") as file:
        json.dump(history, file, indent=1)
    rows = tf.data.TFRecordDataset(files["eval"], compression_type="GZIP").take(_WARMUP_ROWS)
    warmup = list(rows.as_numpy_iterator())
    export(model, transform, fn_args.serving_model_dir, warmup_examples=warmup, model_name=name)


def fit(
    model: MultiTaskModel, inputs: InputPath, files: Mapping[str, list[str]], training: settings_module.TrainingSettings
) -> dict[str, list[float]]:
    """Trains a compiled model; the weights are the best epoch's afterwards. Returns the metrics of each epoch."""
    stopping = keras.callbacks.EarlyStopping(
        monitor=f"val_{training.monitor}",
        mode="max" if training.monitor.endswith("_auc") else "min",
        patience=training.patience,
        restore_best_weights=True,
    )
    with warnings.catch_warnings():
        # Said at the end of every epoch whose number of batches is not known beforehand.
        warnings.filterwarnings("ignore", message="Your input ran out of data")
        history = model.fit(
            inputs.training(files["train"]),
            validation_data=inputs.evaluation(files["eval"]),
            epochs=training.max_epochs,
            callbacks=[stopping, keras.callbacks.TerminateOnNaN(), EpochLines()],
            shuffle=False,
            verbose=0,
        )
    return {key: [float(value) for value in values] for key, values in history.history.items()}


def vocabulary_sizes(spec: DatasetSpec, transformed: tft.TFTransformOutput) -> dict[str, int]:
    """Tokens in the vocabulary of each feature that has one."""
    return {
        feature.name: transformed.vocabulary_size_by_name(feature.name)
        for feature in spec.features
        if not isinstance(feature, NumericalFeature)
    }


def _from_config(custom: Mapping[str, Any]) -> tuple[DatasetSpec, Any, Any, str]:
    document = config.Document(dict(custom))
    return (
        config.build(DatasetSpec, document, ("spec",)),
        config.build(settings_module.ModelSettings, document, ("model",)),
        config.build(settings_module.TrainingSettings, document, ("training",)),
        custom["name"],
    )
