"""Folder of a training's checkpoints, which a second run of the same training finds."""

import hashlib
import json
import math
import os
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from pipelines.training.row_counts import estimate_rows
from pipelines.training_settings import TrainingSettings
from tfmtl.training.data_position import DataPosition
from tfmtl.training.recovery import Interval, Recovery

_CHECKPOINTS = "checkpoints"


def checkpoint_folder(fn_args: Any) -> str:
    """Returns the folder of the checkpoints of a training.

    TFX gives each execution other output folders. The checkpoints are therefore beside them, in a folder named by a
    hash of all that determines the training: settings, the choice of the step Tuner, code, the folders of the examples,
    of the transform graph and of the model to start from, and the versions of the libraries. A training with another
    setting has another folder.

    Args:
        fn_args: Arguments of TFX's Trainer. If `custom_config` has `checkpoints`, the folder is below that one.
    """
    root = fn_args.custom_config.get("checkpoints")
    if not root:
        root = os.path.join(os.path.dirname(os.path.dirname(fn_args.model_run_dir.rstrip("/"))), _CHECKPOINTS)
    inputs = [list(fn_args.train_files), list(fn_args.eval_files), fn_args.transform_output, fn_args.base_model]
    versions = [tf.__version__, keras.__version__]
    content = json.dumps(
        [fn_args.custom_config, fn_args.hyperparameters, inputs, versions], sort_keys=True, default=str
    )
    return os.path.join(root, hashlib.sha256(content.encode()).hexdigest()[:16])


def make_recovery(
    fn_args: Any,
    training: TrainingSettings,
    strategy: tf.distribute.Strategy,
    files: Sequence[str],
    rows_per_step: int,
) -> Recovery | None:
    """Creates the recovery of a training; None if the settings ask for none.

    There is none either if the folder is on a store that TensorFlow cannot write to, such as `s3://`. Several workers
    have to see the same folder.

    Args:
        fn_args: Arguments of TFX's Trainer.
        training: Settings of the training.
        strategy: Strategy of the training.
        files: TFRecord files of the training split.
        rows_per_step: Batch size.
    """
    if training.checkpoint_minutes is None and training.checkpoint_steps is None:
        return None
    folder = checkpoint_folder(fn_args)
    scheme = folder.partition("://")[0] if "://" in folder else ""
    if scheme and scheme not in tf.io.gfile.get_registered_schemes():
        print(f"    no checkpoints, as TensorFlow does not write to {scheme}://")
        return None
    second = training.second_stage
    epochs = training.max_epochs + (0 if second is None else second.max_epochs)
    return Recovery(
        folder,
        DataPosition(),
        Interval(training.checkpoint_minutes or 0.0, training.checkpoint_steps),
        planned_steps=epochs * math.ceil(estimate_rows(sorted(files)) / rows_per_step),
        strategy=strategy,
    )


def remove_checkpoints(recovery: Recovery | None) -> None:
    """Removes the checkpoints of a training that has ended, and their parent folder if it is empty.

    Args:
        recovery: Recovery of the training; None if it has no checkpoints.
    """
    if recovery is None:
        return
    recovery.remove()
    root = os.path.dirname(recovery.folder.folder)
    if tf.io.gfile.isdir(root) and not tf.io.gfile.listdir(root):
        tf.io.gfile.rmtree(root)
